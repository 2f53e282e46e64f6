import { mkdtemp, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import type { CommandResult } from '../../../../src/base/command.js';
import { silentLog } from '../../../../src/base/log.js';
import { maskArguments } from '../../../../src/base/text/redact.js';
import { isQuestion, openAuditLog, type AuditLog } from '../../../../src/worker/run-state/audit-log.js';

let dir: string;
let now: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-audit-'));
  now = 1_000_000;
});

const good = (ms = 5): CommandResult => ({ kind: 'exited', exitCode: 0, stdout: 'SECRET', stderr: '', ms });

function open(over: { maxBytes?: number; keep?: number } = {}): AuditLog {
  const clock = { now: () => now, monotonic: () => now, sleep: async () => undefined };
  return openAuditLog(dir, { by: 'worker', clock, log: silentLog(), ...over });
}

async function lines(name = 'commands.jsonl'): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(dir, name), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const note = (audit: AuditLog, command: string[], result = good()): void => {
  const [file = '', ...args] = command;
  audit.note({ at: (now += 1), file, args: maskArguments(args), result });
};

describe('the audit log', () => {
  test('has a line with the result of every command that changes something, also of repeated ones', async () => {
    const audit = open();
    for (let time = 0; time < 3; time += 1) note(audit, ['scancel', '12']);
    note(audit, ['sbatch', '--job-name=x', '/s'], {
      kind: 'exited',
      exitCode: 1,
      stdout: '',
      stderr: 'sbatch: error: Invalid partition',
      ms: 7,
    });
    note(audit, ['scancel', '13'], { kind: 'timeout', ms: 60_000 });
    await audit.close();
    const found = await lines();
    expect(found.map(({ command, exitCode }) => [command, exitCode])).toEqual([
      ['scancel', 0],
      ['scancel', 0],
      ['scancel', 0],
      ['sbatch', 1],
      ['scancel', null],
    ]);
    expect(found[3]).toMatchObject({
      by: 'worker',
      pid: process.pid,
      args: ['--job-name=x', '/s'],
      ms: 7,
      problem: 'exited with 1: sbatch: error: Invalid partition',
    });
    expect(JSON.stringify(found)).not.toContain('SECRET');
    expect((await stat(join(dir, 'commands.jsonl'))).mode & 0o777).toBe(0o600);
  });

  test('has a line when a command that changes something starts, which remains if the worker is killed', async () => {
    const audit = open();
    audit.begin({ at: now, file: 'squeue', args: ['--me'] });
    audit.begin({ at: now, file: 'sbatch', args: ['--job-name=x', '/s'] });
    await expect
      .poll(async () => lines().catch(() => []))
      .toEqual([
        {
          at: new Date(now).toISOString(),
          by: 'worker',
          pid: process.pid,
          command: 'sbatch',
          args: ['--job-name=x', '/s'],
          begun: true,
        },
      ]);
    await audit.close();
  });

  test('counts a question that is asked again and again, until its answer is another one', async () => {
    const audit = open();
    for (let time = 0; time < 50; time += 1) note(audit, ['squeue', '--me'], good(time));
    note(audit, ['squeue', '--me'], { kind: 'timeout', ms: 60_000 });
    note(audit, ['squeue', '--me'], { kind: 'timeout', ms: 60_000 });
    await audit.close();
    expect(await lines()).toMatchObject([
      { command: 'squeue', exitCode: 0, ms: 0 },
      { command: 'squeue', exitCode: 0, again: 49, ms: 49 },
      { command: 'squeue', exitCode: null },
      { command: 'squeue', exitCode: null, again: 1 },
    ]);
  });

  test('tells of a long silence at least once an hour, and forgets no question for want of room', async () => {
    const audit = open();
    note(audit, ['squeue', '--me']);
    note(audit, ['squeue', '--me']);
    now += 3_600_000;
    note(audit, ['squeue', '--me']);
    for (let name = 0; name < 100; name += 1) {
      note(audit, ['squeue', `--name=${name}`]);
      note(audit, ['squeue', `--name=${name}`]);
    }
    await audit.close();
    const found = await lines();
    expect(found.filter(({ args }) => (args as string[])[0] === '--me')).toHaveLength(3);
    expect(found.filter(({ again }) => again === 1)).toHaveLength(101);
  });

  test('hides what is called like a secret, and what looks like a token of Girder', async () => {
    const token = 'aB3'.repeat(22).slice(0, 64);
    const audit = open();
    note(audit, ['sbatch', '/s', '--girderToken', 'hunter2', token, '--api-key=k', 'https://u:pw@host/'], {
      kind: 'exited',
      exitCode: 1,
      stdout: '',
      stderr: `bad ${token}`,
      ms: 1,
    });
    await audit.close();
    const text = await readFile(join(dir, 'commands.jsonl'), 'utf8');
    for (const secret of ['hunter2', token, '=k', 'pw']) expect(text).not.toContain(secret);
  });

  test('is bounded: a limited number of older files is kept', async () => {
    const audit = open({ maxBytes: 2_000, keep: 2 });
    for (let time = 0; time < 200; time += 1) {
      note(audit, ['scancel', String(time)]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await audit.close();
    expect((await readdir(dir)).sort()).toEqual(['commands.jsonl', 'commands.jsonl.1', 'commands.jsonl.2']);
    const newest = await lines();
    expect(newest.at(-1)).toMatchObject({ args: ['199'] });
    for (const name of await readdir(dir)) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
  });

  test('holds up nothing where it cannot be written', async () => {
    const clock = { now: () => now, monotonic: () => now, sleep: async () => undefined };
    const audit = openAuditLog(join(dir, 'none'), { by: 'worker', clock, log: silentLog() });
    note(audit, ['scancel', '1']);
    await audit.close();
  });
});

test.each([
  ['/usr/bin/squeue --me', true],
  ['sacct -X', true],
  ['scontrol --oneliner show job 1', true],
  ['scontrol update JobId=1 TimeLimit=1', false],
  ['scontrol requeue 1', false],
  ['scontrol update NodeName=n1 State=RESUME', false],
  ['scontrol write batch_script 1 -', true],
  ['scontrol write batch_script 1', false],
  ['apptainer --version', true],
  ['apptainer exec x', false],
  ['sbatch --version', true],
  ['sbatch x', false],
  ['srun hostname', false],
  ['/site/my-squeue-wrapper', false],
])('%s is a question: %s', (line, expected) => {
  const [file = '', ...args] = line.split(' ');
  expect(isQuestion(file, args)).toBe(expected);
});
