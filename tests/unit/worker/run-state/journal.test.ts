import {
  appendFile,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { openJournal, type Journal } from '../../../../src/worker/run-state/journal.js';
import { journalVersion } from '../../../../src/worker/run-state/journal-lines.js';
import { readJournal } from '../../../../src/worker/run-state/read-journal.js';
import { beginRun, type RunEvent } from '../../../../src/worker/run-state/run.js';
import { heldLease } from '../../../support/lease.js';
import { openSmallDisk } from '../../../support/small-disk.js';
import { someTask } from '../../../support/tasks.js';

let directory: string;
let path: string;
const log = silentLog();
const left: Journal[] = [];

afterEach(async () => {
  await Promise.all(left.splice(0).map(async (journal) => journal.close()));
});

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-journal-')), 'state');
  path = join(directory, 'journal.jsonl');
});

/** Opens the journal; what a test leaves open is closed after it. */
async function reopen(): ReturnType<typeof openJournal> {
  const result = await openJournal(directory, log, heldLease);
  left.push(result.journal);
  return result;
}

function accepted(id: string): RunEvent {
  return { type: 'accepted', at: 1, task: someTask({ id }), refusal: null };
}

async function fileHandlePrototype(): Promise<FileHandle> {
  const handle = await open(tmpdir(), 'r');
  await handle.close();
  return Object.getPrototypeOf(handle) as FileHandle;
}

describe('the journal', () => {
  test('gives back what was appended', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.append('b', accepted('b'));
    await journal.append('a', { type: 'submitted', at: 2, jobId: '12' });
    await journal.close();
    const { runs, journal: again } = await reopen();
    expect([...runs.keys()]).toEqual(['a', 'b']);
    expect(runs.get('a')).toMatchObject({ jobId: '12', stage: 'queued' });
    await again.close();
  });

  test.each([
    ['removed', async () => rm(path)],
    [
      'replaced by an older one',
      async () => {
        await writeFile(join(directory, 'older'), '{"journal":"dsa-slurm","version":3}\n');
        await rename(join(directory, 'older'), path);
      },
    ],
  ])(
    'that was %s while a worker had it open is written again, with all that this one knows',
    async (_, spoil) => {
      const first = await reopen();
      await first.journal.append('a', accepted('a'));
      await first.journal.append('a', { type: 'submitted', at: 2, jobId: '12' });
      await first.journal.close();
      const { journal } = await reopen();
      await spoil();
      await journal.append('b', accepted('b'));
      await journal.append('b', { type: 'submitted', at: 3, jobId: '13' });
      await journal.probe();
      await journal.close();
      const { runs } = await reopen();
      expect(runs.get('a')).toMatchObject({ jobId: '12' });
      expect(runs.get('b')).toMatchObject({ jobId: '13' });
      expect((await readJournal(path)).damaged).toEqual([]);
    },
  );

  test('that NFS has lost is written again', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await rm(path);
    const prototype = await fileHandlePrototype();
    const stale = vi
      .spyOn(prototype, 'appendFile')
      .mockRejectedValueOnce(
        Object.assign(new Error('ESTALE: stale file handle, write'), { code: 'ESTALE' }),
      );
    await journal.append('b', accepted('b'));
    stale.mockRestore();
    await journal.close();
    expect([...(await reopen()).runs.keys()]).toEqual(['b']);
  });

  test.each([
    ['emptied', () => ''],
    ['without its beginning', (text: string) => text.slice(text.indexOf('\n') + 1)],
    ['with a damaged line', (text: string) => text.replace('"run":"b"', '"run":"c"')],
    ['cut in half', (text: string) => text.slice(0, -30)],
  ])('%s is kept aside as it was', async (_, damage) => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.append('b', accepted('b'));
    await journal.close();
    const damaged = damage(await readFile(path, 'utf8'));
    await writeFile(path, damaged);
    await reopen();
    const aside = (await readdir(directory)).filter((name) => /\.(damaged-\d+|torn)$/.test(name));
    expect(aside).toHaveLength(1);
    expect(await readFile(join(directory, aside[0] ?? ''), 'utf8')).toBe(damaged);
    expect((await stat(join(directory, aside[0] ?? ''))).mode & 0o777).toBe(0o600);
  });

  test('what was appended is in the file when the promise resolves, and many at once keep their order', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    const events = Array.from({ length: 200 }, (_, i) =>
      journal.append('a', { type: 'log-sent', at: i, offset: i }),
    );
    await events[150];
    expect(await readFile(path, 'utf8')).toContain('"offset":150');
    await Promise.all(events);
    const offsets = [...(await readFile(path, 'utf8')).matchAll(/"offset":(\d+)/g)].map((match) =>
      Number(match[1]),
    );
    expect(offsets).toEqual(Array.from({ length: 200 }, (_, i) => i));
    await journal.close();
  });

  test('what may wait goes with the next durable event', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    journal.appendSoon('a', { type: 'log-sent', at: 2, offset: 5 });
    await journal.append('a', { type: 'started', at: 3 });
    expect(await readFile(path, 'utf8')).toMatch(/"offset":5.*\n.*"started"/);
    await journal.close();
  });

  test('is readable by its owner only', async () => {
    const { journal } = await reopen();
    await journal.close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });

  test('a torn last line is dropped and nothing else', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.close();
    await appendFile(path, '{"run":"a","event":{"type":"submitted","at":2,"jobI');
    const { runs, journal: again } = await reopen();
    expect(runs.get('a')?.jobId).toBeNull();
    await again.append('a', { type: 'started', at: 3 });
    await again.close();
    expect((await reopen()).runs.get('a')?.stage).toBe('running');
  });

  test('a damaged line in the middle is set aside, the rest is read', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.close();
    await appendFile(path, 'rubbish\n');
    const more = { run: 'b', event: accepted('b') };
    await appendFile(path, `${JSON.stringify(more)}\n`);
    const { runs } = await reopen();
    expect([...runs.keys()]).toEqual(['a', 'b']);
    const aside = (await readdir(directory)).filter((name) => name.includes('damaged'));
    expect(aside).toHaveLength(1);
    expect(await readFile(join(directory, aside[0] ?? ''), 'utf8')).toContain('rubbish');
  });

  test('a newer format is refused and left alone', async () => {
    const { journal } = await reopen();
    await journal.close();
    const newer = `{"journal":"dsa-slurm","version":${journalVersion + 1}}\n`;
    await writeFile(path, newer);
    await expect(reopen()).rejects.toThrow(/newer dsa-slurm/);
    expect(await readFile(path, 'utf8')).toBe(newer);
  });

  test('what was flipped in a line is noticed, though it is good JSON', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.append('a', { type: 'submitted', at: 2, jobId: '1234' });
    await journal.close();
    await writeFile(path, (await readFile(path, 'utf8')).replace('"jobId":"1234"', '"jobId":"1235"'));
    expect((await readJournal(path)).damaged).toEqual([3]);
    expect((await reopen()).runs.get('a')).toMatchObject({ stage: 'accepted', jobId: null });
  });

  test('an event of unknown type is ignored', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.close();
    await appendFile(path, '{"run":"a","event":{"type":"toString","at":2}}\n');
    const { runs, damaged } = await readJournal(path);
    expect(damaged).toHaveLength(1);
    expect(runs.get('a')?.stage).toBe('accepted');
  });

  test.each([1, 2])('of version %i is read, with and without checksums, and rewritten', async (version) => {
    const { journal } = await reopen();
    await journal.close();
    const lines = [
      { journal: 'dsa-slurm', version },
      { run: 'a', event: accepted('a') },
    ];
    await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect([...(await reopen()).runs.keys()]).toEqual(['a']);
    expect(await readFile(path, 'utf8')).toMatch(
      /^\{"journal":"dsa-slurm","version":4\}\n.*"crc":"[0-9a-f]{8}"\}\n$/s,
    );
  });

  test('is read without a trace: by those who only look', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await appendFile(path, 'rubbish\n{"torn');
    const before = await readdir(directory);
    expect(await readJournal(path)).toMatchObject({ damaged: [3], torn: 6 });
    expect(await readdir(directory)).toEqual(before);
  });

  test('what was forgotten is gone, and may come again', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.append('a', { type: 'forgotten', at: 2 });
    expect((await readJournal(path)).runs.size).toBe(0);
    await journal.append('a', accepted('a'));
    expect((await readJournal(path)).damaged).toEqual([]);
    expect((await readJournal(path)).runs.get('a')?.stage).toBe('accepted');
  });

  test('half a line that could not be taken back does not spoil the next one', async () => {
    const { journal } = await reopen();
    const prototype = await fileHandlePrototype();
    const write = prototype.appendFile;
    const half = vi.spyOn(prototype, 'appendFile').mockImplementationOnce(async function (
      this: FileHandle,
      text,
    ) {
      await write.call(this, (text as string).slice(0, 20));
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    });
    const stuck = vi.spyOn(prototype, 'truncate').mockRejectedValueOnce(new Error('EIO'));
    await expect(journal.append('a', accepted('a'))).rejects.toThrow(/cannot be written: ENOSPC.*/);
    for (const spy of [half, stuck]) spy.mockRestore();
    await journal.append('b', accepted('b'));
    expect(await readJournal(path)).toMatchObject({ damaged: [2] });
    expect([...(await readJournal(path)).runs.keys()]).toEqual(['b']);
  });

  test('a compaction that fails half-way loses nothing that is written later', async () => {
    const { journal, runs } = await reopen();
    await journal.append('a', accepted('a'));
    // what is renamed into its place is no longer the file that was open
    const fsync = vi.spyOn(await fileHandlePrototype(), 'sync').mockImplementation(async function sync() {
      // the file itself is synced first, then the directory
      if (fsync.mock.calls.length > 1) throw new Error('no fsync of directories here');
    });
    await expect(journal.compact(runs.values())).rejects.toThrow('no fsync');
    fsync.mockRestore();
    await journal.append('b', accepted('b'));
    await journal.close();
    expect(await readFile(path, 'utf8')).toContain('"id":"b"');
  });

  test('bytes are counted from the last compaction, however large the runs are', async () => {
    const { journal } = await reopen();
    await journal.append('a', accepted('a'));
    const big = new Map([
      [
        'a',
        beginRun({ type: 'accepted', at: 1, task: someTask({ body: 'x'.repeat(9_999) }), refusal: null }),
      ],
    ]);
    await journal.compact(big.values());
    expect(journal.bytes()).toBe(0);
    await journal.close();
  });

  test('compaction keeps the runs and goes on', async () => {
    const { journal, runs } = await reopen();
    await journal.append('a', accepted('a'));
    await journal.close();
    const opened = await reopen();
    for (let i = 0; i < 50; i += 1) opened.journal.appendSoon('a', { type: 'log-sent', at: i, offset: i });
    await opened.journal.append('a', { type: 'started', at: 9 });
    const before = opened.journal.bytes();
    await opened.journal.compact(opened.runs.values());
    expect(opened.journal.bytes()).toBeLessThan(before);
    await opened.journal.append('a', { type: 'submitted', at: 10, jobId: '3' });
    await opened.journal.close();
    expect(runs.size).toBe(0);
    expect((await reopen()).runs.get('a')?.jobId).toBe('3');
  });
});

describe('a disk that is full', () => {
  test('refuses events whole, keeps what it has, and takes them once there is room', async ({ skip }) => {
    const disk = await openSmallDisk();
    if (disk === null) return skip('this user may not mount a file system');
    try {
      const { journal, runs } = await openJournal(disk.dir, log, heldLease);
      const file = join(disk.dir, 'journal.jsonl');
      await journal.append('a', accepted('a'));
      await disk.fill();
      const large: RunEvent = {
        type: 'accepted',
        at: 1,
        task: someTask({ id: 'b', body: 'x'.repeat(50_000) }),
        refusal: null,
      };
      await expect(journal.append('b', large)).rejects.toThrow(/cannot be written: ENOSPC/);
      await expect(journal.probe()).rejects.toThrow(/ENOSPC/);
      await expect(journal.compact(runs.values())).rejects.toThrow(/ENOSPC/);
      expect(await readdir(disk.dir)).not.toContain('journal.jsonl.new');
      expect(await readJournal(file)).toMatchObject({ damaged: [], torn: 0 });
      await disk.free();
      await journal.probe();
      await journal.append('b', large);
      await journal.close();
      const read = await readJournal(file);
      expect([[...read.runs.keys()], read.damaged]).toEqual([['a', 'b'], []]);
      await disk.fill();
      await expect(openJournal(disk.dir, log, heldLease)).rejects.toThrow(/cannot be written: ENOSPC/);
      expect((await readJournal(file)).runs.size).toBe(2);
    } finally {
      await disk.close();
    }
    return undefined;
  });
});
