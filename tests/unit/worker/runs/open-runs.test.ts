import { describe, expect, test } from 'vitest';

import { createOwnerMark, jobComment, jobName } from '../../../../src/slurm/job-identity.js';
import { askForOrphans } from '../../../../src/worker/runs/open-runs.js';
import { renderSource } from '../../../../src/worker/runs/render.js';
import { fakeRun, printed, squeueLine, unreachable, type Call } from '../../slurm/fake-run.js';

const stateDirectory = '/home/dsa/.local/state/dsa-slurm/default';
const view = {
  source: 'journal',
  worker: null,
  damagedLines: 0,
  runs: [],
  detail: async () => null,
} as const;

const line = (call: Call, id: string, mark: string): string =>
  squeueLine(call, {
    JobArrayID: id,
    State: 'RUNNING',
    Name: jobName(`run-${id}`),
    Comment: jobComment(`run-${id}`, mark),
  });

describe('while no worker runs, jobs that belong to no run', () => {
  test('are found by one squeue', async () => {
    const { run, calls } = fakeRun((call) =>
      printed(
        line(call, '4711', createOwnerMark(stateDirectory)) + line(call, '4712', createOwnerMark('/other')),
      ),
    );
    const found = await askForOrphans(run, [], stateDirectory);
    expect(found).toEqual({
      orphans: [{ jobId: '4711', state: 'RUNNING', key: 'run-4711' }],
      orphansUnknown: null,
    });
    expect(calls.map(({ file }) => file)).toEqual(['squeue']);
    expect(renderSource({ ...view, ...found }, 0)).toContain('1 Slurm job belongs to no run of this worker');
  });

  test('are unknown if squeue does not answer', async () => {
    const found = await askForOrphans(fakeRun(() => unreachable).run, [], stateDirectory);
    expect(renderSource({ ...view, ...found }, 0)).toMatch(
      /\nJobs that belong to no run cannot be listed: squeue .*Unable to contact slurm controller/,
    );
  });
});
