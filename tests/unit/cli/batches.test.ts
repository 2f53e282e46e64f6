import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { formatLine, writeLine } from '../../../src/worker/run-state/journal-lines.js';
import type { RecordedJobEnd, RunEvent } from '../../../src/worker/run-state/run.js';
import { someTask } from '../../support/tasks.js';
import { runCli, temporaryHome } from './support.js';

const gigabyte = 1024 ** 3;
const now = Date.now();

/** The events of a slide whose job ended like this; null: it still waits. */
function slide(id: string, end: Partial<RecordedJobEnd> | null): string[] {
  const task = someTask({ id });
  const failed = end?.outcome === 'failed';
  const events: RunEvent[] = [
    { type: 'accepted', at: now - 3_600_000, task, refusal: null },
    {
      type: 'described',
      at: now - 3_600_000,
      description: { image: 'example/cells:v1', cli: 'Cells', title: `Cells on ${id}.svs`, user: 'ada' },
      facts: {
        girderUrl: null,
        inputs: [{ kind: 'file', name: `=${id}.svs`, girderId: null }],
        outputs: [],
        argumentsKey: 'k',
      },
    },
    {
      type: 'submitting',
      at: now - 3_590_000,
      submission: {
        key: id,
        logFile: '/l',
        exitRecord: '/e',
        at: 0,
        lines: { sbatch: ['sbatch', '--mem=4G'], container: [] },
      },
    },
    { type: 'submitted', at: now - 3_580_000, jobId: '7' },
  ];
  if (end !== null) {
    const usage = {
      wallMs: 60_000,
      cpuMs: 1,
      memoryBytes: 3 * gigabyte,
      cgroupMemoryBytes: null,
      oomKills: null,
    };
    events.push(
      { type: 'started', at: now - 3_500_000 },
      {
        type: 'job-ended',
        at: now - 1_800_000,
        end: {
          outcome: 'succeeded',
          state: { base: 'COMPLETED', flags: [] },
          exitCode: { code: 0, signal: 0 },
          reason: '',
          toldBy: 'squeue',
          usage: { ...usage, cpus: 1, grantedMemoryBytes: null, gpus: null, gpuMemoryBytes: null },
          ...end,
        },
      },
      {
        type: 'decided',
        at: now - 1_800_000,
        outcome: end.outcome ?? 'succeeded',
        reason: failed ? 'It failed.' : null,
      },
      { type: 'finished', at: now - 1_800_000, told: true },
    );
  }
  return events.map((event) => writeLine({ run: id, event }));
}

const outOfMemory = { outcome: 'failed', state: { base: 'OUT_OF_MEMORY', flags: [] } } as const;

let env: Record<string, string>;

beforeEach(() => {
  const { home, env: own } = temporaryHome();
  env = own;
  const state = join(home, '.local/state/dsa-slurm/default');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const lines = [
    ...slide('aaaa-1', {}),
    ...slide('aaaa-2', outOfMemory),
    ...slide('aaaa-3', outOfMemory),
    ...slide('aaaa-4', null),
  ];
  writeFileSync(join(state, 'journal.jsonl'), `${[formatLine, ...lines].join('\n')}\n`);
});

describe('dsa-slurm batches', () => {
  test('lists the batches of the journal, and says that they are inferred', async () => {
    const { code, stdout, stderr } = await runCli(['batches'], { env });
    expect(code).toBe(0);
    expect(stdout.split('\n')[1]).toMatch(/^aaaa-1\s+Cells\s+ada\s+1h 00m ago\s+3\/4\s+2\s+-\s+1\s/);
    expect(stdout).toMatch(/3G, 3G of 4G\n$/);
    expect(stderr).toContain('1 batch, inferred.');
  });

  test('prints them as JSON', async () => {
    const { stdout } = await runCli(['batches', 'list', '--json'], { env });
    expect(JSON.parse(stdout)).toMatchObject({
      inferred: true,
      batches: [{ id: 'aaaa-1', total: 4, failed: 2 }],
    });
  });

  test('shows why slides failed, and what to do', async () => {
    const { stdout } = await runCli(['batches', 'show', 'aaaa-1'], { env });
    expect(stdout).toContain('2 x out of memory at 4G');
    expect(stdout).toContain('start them with --slurm_mem 8G');
    expect(stdout).toContain('dsa-slurm batches retry aaaa-1');
  });

  test('exports the failures for a spreadsheet, without formulas', async () => {
    const { stdout } = await runCli(['batches', 'failures', 'aaaa', '--csv'], { env });
    const [head, first] = stdout.split('\r\n');
    expect(head).toMatch(/^run,girder_job,slurm_job,title,inputs,reason/);
    expect(first).toBe(
      `aaaa-2,,7,Cells on aaaa-2.svs,'=aaaa-2.svs,out of memory at 4G,${3 * gigabyte},${4 * gigabyte},60`,
    );
  });

  test('knows what it does not know', async () => {
    expect((await runCli(['batches', 'show', 'bbbb'], { env })).code).toBe(3);
    expect((await runCli(['batches', 'cancel', 'bbbb'], { env })).code).toBe(3);
  });

  test('cancels what is left, without a worker', async () => {
    const { code, stdout, stderr } = await runCli(
      ['batches', 'cancel', 'aaaa-1', '--set', 'worker.executor=local'],
      { env },
    );
    expect(`${stdout}${stderr}`).toContain('Run aaaa-4 will end as canceled when the worker starts');
    expect(code).toBe(0);
    const { stdout: again } = await runCli(['batches', 'retry', 'aaaa-1', '--json'], { env });
    expect(JSON.parse(again)).toMatchObject({ ok: false, asked: ['aaaa-2', 'aaaa-3'] });
  });
});

describe('dsa-slurm advise', () => {
  test('says that there is not enough evidence', async () => {
    const { code, stdout } = await runCli(['advise'], { env });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^# Cells of example\/cells:v1: nothing is proposed. Only 3 of its runs/);
  });

  test('proposes rules that the profile accepts', async () => {
    const { code, stdout } = await runCli(['advise', '--min-runs', '2', '--json'], { env });
    expect(code).toBe(0);
    const { rules } = JSON.parse(stdout) as { rules: unknown[] };
    expect(rules).toMatchObject([{ image: 'example/cells:v1', cli: 'Cells', mem: '8G' }]);
    const set = await runCli(['config', 'set', 'slurm.rules', JSON.stringify(rules)], { env });
    expect(set.code, set.stderr).toBe(0);
  });
});
