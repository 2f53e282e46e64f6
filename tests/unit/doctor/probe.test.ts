import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { createRunner, type RunCommand } from '../../../src/base/command.js';
import { judgeProbe } from '../../../src/doctor/probe/judge-probe.js';
import {
  girderTarget,
  probeSharedDirectories,
  type ProbeAnswer,
  type ProbeWaiting,
} from '../../../src/doctor/probe/probe-job.js';
import { parseProbeReport } from '../../../src/doctor/probe/probe-report.js';
import { exited, settingsWith } from '../../support/doctor.js';
import { createQuickClock } from '../../support/scripted-http.js';

const answered: Extract<ProbeAnswer, { kind: 'answered' }> = {
  kind: 'answered',
  partition: 'main',
  jobId: '7',
  host: 'n1',
  uid: 1_000,
  ownUid: 1_000,
  apptainer: 'apptainer version 1.3.4',
  namespaces: true,
  girder: null,
  container: null,
  directories: [{ path: '/t', shared: true, writable: true, ms: 3, answerMs: 20 }],
  ms: 2_000,
};
const directory = (changes: object) => ({
  ...answered,
  directories: [{ path: '/t', shared: true, writable: true, ms: 3, answerMs: 20, ...changes }],
});

const container = (message: string, unpacked = false) => ({
  ...answered,
  namespaces: false,
  container: { image: '/i/small.sif', message, unpacked },
});

const girder = (message: string) => ({ ...answered, girder: { url: 'http://g:80/v', result: message } });

const line = (text: string) => `dsa-slurm-probe ${text}\n`;

/** Slurm with one job, which stays in `state` for as long as it is asked. */
function slurm(state: string, onSubmit: (args: readonly string[]) => Promise<void> = async () => undefined) {
  const calls: string[] = [];
  const run: RunCommand = async (file, args) => {
    calls.push([file, ...args].join(' '));
    if (file === 'sbatch') {
      await onSubmit(args);
      return exited('7\n');
    }
    if (file === 'squeue' && state !== '') {
      const format = args.find((arg) => arg.startsWith('--Format=')) ?? '';
      const [, separator = ''] = /JobArrayID:([^,]*),/.exec(format) ?? [];
      const [, record = ''] = /Name:([^,]*)$/.exec(format) ?? [];
      const values = [
        '7',
        state,
        'Resources',
        'op',
        'main',
        '',
        '1',
        '0',
        'N/A',
        'N/A',
        '0:00',
        '2:00',
        'N/A',
        'N/A',
        'N/A',
        '0',
        '',
        'dsa-slurm-probe',
      ];
      return exited(`${values.join(separator)}${record}`);
    }
    return exited('');
  };
  return { run, calls };
}

const refusing: RunCommand = async () =>
  exited('', { exitCode: 1, stderr: 'sbatch: error: invalid partition' });

describe('judgeProbe', () => {
  it.each<[string, ProbeAnswer, string, string, string | null]>([
    ['well', answered, 'ok', '/t: read and written on n1 in 3 ms, visible here after 20 ms', null],
    [
      'refused',
      { kind: 'refused', partition: 'main', message: 'no' },
      'fail',
      'could not be submitted: no',
      'sbatch --test-only -p main',
    ],
    [
      'silent',
      { kind: 'silent', partition: 'main', jobId: '7', message: 'ended' },
      'fail',
      'not shared',
      'srun -p main df -h',
    ],
    [
      'put off',
      { kind: 'canceled', partition: 'main', jobId: '7', message: 'The check was aborted.' },
      'warn',
      'The check was aborted.',
      'doctor --deep --only directories.probe',
    ],
    ['another uid', { ...answered, uid: 5 }, 'fail', 'uid 5 on n1, but 1000 here', 'getent passwd'],
    [
      'no runtime',
      { ...answered, apptainer: 'command not found' },
      'fail',
      'no container runtime',
      'module load apptainer',
    ],
    [
      'no namespaces',
      { ...answered, namespaces: false },
      'warn',
      'User namespaces are disabled on n1',
      'sysctl -w',
    ],
    ['a container started', container('started'), 'ok', 'a container of small.sif started on n1', null],
    [
      'a container without a shell started',
      container('FATAL:   "sh": executable file not found in $PATH'),
      'ok',
      'small.sif started',
      null,
    ],
    [
      'no squashfuse',
      container('started', true),
      'warn',
      'the whole image was unpacked first',
      'squashfuse   # or: dnf install squashfuse   # on the nodes',
    ],
    [
      '/dev/fuse closed',
      container('FATAL: container creation failed: fuse: failed to open /dev/fuse: Permission denied'),
      'fail',
      'n1: No container starts: this user may not open /dev/fuse',
      'chmod 666 /dev/fuse',
    ],
    [
      'no start',
      container('FATAL: odd'),
      'fail',
      'A container of small.sif does not start on n1: FATAL: odd',
      'images',
    ],
    ['Girder reached', girder('200'), 'ok', 'n1 reaches Girder: http://g:80/v', null],
    ['Girder by port', girder('open'), 'ok', 'n1 reaches the port of http://g:80/v', null],
    [
      'Girder not reached',
      girder('curl: (7) Failed to connect to g port 80 000'),
      'warn',
      'does not reach Girder at http://g:80/v: curl: (7) Failed to connect to g port 80. Analyses',
      'srun -p main curl -sS http://g:80/v   # girder.apiUrl must be reachable from nodes',
    ],
    ['Girder not reached, no curl', girder('no connection'), 'warn', ': no connection.', 'srun -p main curl'],
    ['something else there', girder('404'), 'warn', ': HTTP status 404.', 'girder.apiUrl'],
    [
      'not shared',
      directory({ shared: false }),
      'fail',
      'does not see the same /t',
      'srun -p main ls -ld /t',
    ],
    ['not writable', directory({ writable: false }), 'fail', 'cannot write to /t', 'touch /t/x'],
    ['not seen here', directory({ answerMs: null }), 'fail', 'do not appear here', 'srun -p main df /t'],
    ['slow', directory({ answerMs: 9_000 }), 'warn', 'after 9000 ms', 'actimeo'],
  ])('%s', (_name, answer, status, evidence, fix) => {
    const finding = judgeProbe(answer, '/images');
    expect(finding.evidence.join('\n')).toContain(evidence);
    expect(finding.status).toBe(status);
    if (fix === null) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });

  it('does not require write access to images', () => {
    expect(judgeProbe(directory({ path: '/images', writable: false }), '/images').status).toBe('ok');
  });
});

describe('parseProbeReport', () => {
  const placed = {
    nonce: 'abc',
    directories: [
      { path: '/t', placed: true, inode: 5 },
      { path: '/i', placed: false, inode: 9 },
    ],
  };
  it('requires the end marker', () => {
    expect(parseProbeReport(line('host=n1'), placed)).toBeNull();
    expect(parseProbeReport(line('end=other'), placed)).toBeNull();
  });
  it('reports Girder only if it was tested', () => {
    expect(parseProbeReport(line('end=abc'), placed)?.girder).toBeNull();
    expect(parseProbeReport(`${line('girder=curl: (7) no ')}${line('end=abc')}`, placed)?.girder).toBe(
      'curl: (7) no',
    );
  });
  it('reports a container only if one was started', () => {
    expect(parseProbeReport(line('end=abc'), placed)?.container).toBeNull();
    const text = `${line('unpacked=yes')}${line('container=started')}${line('end=abc')}`;
    expect(parseProbeReport(text, placed)?.container).toEqual({ message: 'started', unpacked: true });
  });
  it('ignores the output of a prolog', () => {
    const text = `Welcome\n${line('host=n1\u001B[2J')}${line('uid=7')}${line('0.nonce=abc')}${line('0.written=yes')}${line('1.inode=9')}${line('end=abc')}`;
    expect(parseProbeReport(text, placed)).toMatchObject({
      host: 'n1 [2J',
      uid: 7,
      namespaces: false,
      directories: [
        { path: '/t', shared: true, writable: true },
        { path: '/i', shared: true, writable: false },
      ],
    });
    expect(
      parseProbeReport(
        `${line('0.nonce=old')}${line('1.inode=8')}${line('end=abc')}`,
        placed,
      )?.directories.map(({ shared }) => shared),
    ).toEqual([false, false]);
  });
});

describe('girderTarget', () => {
  it.each([
    [null, ''],
    ['nonsense', ''],
    ['http://girder/api/v1/', 'http://girder:80/api/v1/system/version'],
    ['https://u:p@girder/api/v1?x=1', 'https://girder:443/api/v1/system/version'],
    ['http://[::1]:8080/api/v1', 'http://[::1]:8080/api/v1/system/version'],
  ])('%s', (apiUrl, target) => expect(girderTarget(apiUrl)).toBe(target));
});

/** Runs the real script as a node would, with these commands on its PATH only. */
async function girderLine(url: string, curl: boolean): Promise<string | undefined> {
  const bin = await mkdtemp(join(tmpdir(), 'probe-bin-'));
  try {
    const names = ['bash', 'cat', 'cut', 'date', 'hostname', 'id', 'stat', 'timeout', 'tr', 'unshare'];
    for (const name of [...names, ...(curl ? ['curl'] : [])]) {
      const found = ['/usr/bin', '/bin'].map((dir) => join(dir, name)).find((path) => existsSync(path));
      if (found !== undefined) await symlink(found, join(bin, name));
    }
    const script = fileURLToPath(new URL('../../../templates/probe.slurm', import.meta.url));
    const run = createRunner({ env: { PATH: bin } });
    const result = await run('/bin/bash', [script, 'abc', 'apptainer', url, '0']);
    return /^dsa-slurm-probe girder=(.*)$/m.exec(result.kind === 'exited' ? result.stdout : '')?.[1];
  } finally {
    await rm(bin, { recursive: true, force: true });
  }
}

describe('templates/probe.slurm', () => {
  it.each([
    ['with curl', true],
    ['without curl', false],
  ])('asks Girder %s', async (_name, curl) => {
    const server = createServer((_request, response) => response.writeHead(curl ? 200 : 500).end());
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/system/version`;
    const answers = curl && !existsSync('/usr/bin/curl') ? 'open' : curl ? '200' : 'open';
    expect(await girderLine(url, curl)).toBe(answers);
    await new Promise((resolve) => server.close(resolve));
    const refused = await girderLine(url, curl);
    if (answers === '200') expect(refused).toMatch(/^(000 )?curl: \(7\) .*[Cc]onnect/);
    else expect(refused).toBe('no connection');
  });

  it('tests nothing without an address', async () => {
    expect(await girderLine('', true)).toBeUndefined();
  });
});

describe('probeSharedDirectories', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'probe-test-'));
  });
  afterEach(async () => rm(dir, { recursive: true, force: true }));

  const request = (run: RunCommand, more: object = {}) => ({
    run,
    settings: settingsWith({ 'slurm.mem': '64G', 'slurm.account': 'path' }),
    partition: 'main',
    directories: [dir],
    signal: new AbortController().signal,
    onWaiting: () => undefined,
    clock: createQuickClock(),
    ...more,
  });

  it('reads the report, requests few resources, and cleans up', async () => {
    const { run, calls } = slurm('', async (args) => {
      const nonce = args.at(-5) ?? '';
      expect(args.at(-2)).toBe('0');
      expect(args.at(-3)).toBe('http://girder:80/api/v1/system/version');
      const log = args.find((arg) => arg.startsWith('--output='))?.slice('--output='.length) ?? '';
      expect(await readFile(join(dir, `.dsa-slurm-probe-${nonce}`), 'utf8')).toBe(`${nonce}\n`);
      await writeFile(join(dir, `.dsa-slurm-probe-${nonce}.answer`), nonce);
      const lines = [
        'host=n1',
        'uid=0',
        'girder=200',
        `0.nonce=${nonce}`,
        '0.written=yes',
        '0.ms=2',
        `end=${nonce}`,
      ];
      await writeFile(log, lines.map((line) => `dsa-slurm-probe ${line}\n`).join(''));
    });
    const answer = await probeSharedDirectories(request(run, { girder: 'http://u:geheim@girder/api/v1' }));
    expect(JSON.stringify([answer, calls])).not.toContain('geheim');
    expect(answer).toMatchObject({
      kind: 'answered',
      jobId: '7',
      host: 'n1',
      girder: { url: 'http://girder:80/api/v1/system/version', result: '200' },
      directories: [{ path: dir, shared: true, writable: true, ms: 2, answerMs: 0 }],
    });
    expect(calls[0]).toMatch(/--account=path .*--partition=main /);
    expect(calls[0]).toContain('--mem=100M');
    expect(await readdir(dir)).toEqual([]);
  });

  it('reports that it waits, and cancels its job when aborted', async () => {
    const stop = new AbortController();
    const waited: ProbeWaiting[] = [];
    const { run, calls } = slurm('PENDING');
    const answer = await probeSharedDirectories(
      request(run, {
        signal: stop.signal,
        onWaiting: (waiting: ProbeWaiting) => {
          waited.push(waiting);
          if (waited.length === 2) stop.abort();
        },
      }),
    );
    expect(answer).toMatchObject({ kind: 'canceled', jobId: '7', message: 'The check was aborted.' });
    expect(waited[0]).toMatchObject({ jobId: '7', partition: 'main', reason: 'Resources' });
    expect(waited[1]?.waitedMs).toBeGreaterThanOrEqual(2_000);
    expect(calls.at(-1)).toBe('scancel 7');
    expect(await readdir(dir)).toEqual([]);
  });

  it('reports how a job without a visible report ended', async () => {
    const { run } = slurm('');
    expect(await probeSharedDirectories(request(run))).toMatchObject({
      kind: 'silent',
      message: expect.stringContaining('did not appear here'),
    });
    expect(await readdir(dir)).toEqual([]);
  });

  it('submits nothing if a directory is missing', async () => {
    const { run, calls } = slurm('');
    expect(await probeSharedDirectories(request(run, { directories: [dir, join(dir, 'x')] }))).toMatchObject({
      kind: 'refused',
      message: 'A directory cannot be examined (ENOENT).',
    });
    expect(calls).toEqual([]);
    expect(await readdir(dir)).toEqual([]);
  });

  it('passes on a refusal', async () => {
    expect(await probeSharedDirectories(request(refusing))).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('invalid partition'),
    });
  });

  it('cancels by name a job that may have been submitted', async () => {
    const calls: string[] = [];
    const run: RunCommand = async (file, args) => {
      calls.push([file, ...args].join(' '));
      return file === 'sbatch' ? { kind: 'timeout', ms: 30_000 } : exited('');
    };
    expect(await probeSharedDirectories(request(run))).toMatchObject({ kind: 'refused' });
    expect(calls.at(-1)).toMatch(/^scancel --name=dsa-slurm-probe-[0-9a-f]{16}$/);
  });
});
