import { afterAll, beforeAll, expect, test } from 'vitest';

import { expectStatus, openLab, status, type Lab } from '../../../support/lab.js';

let lab: Lab;

/** Settings on Girder's page of the Slurm plugin. */
const girderSettings = {
  'worker_slurm.mem': '222M',
  'worker_slurm.cpus': '2',
  'worker_slurm.qos': '--uid=0',
};

function answer(value: unknown) {
  return {
    kind: 'answer',
    status: 200,
    contentType: 'application/json',
    body: JSON.stringify(value),
  } as const;
}

beforeAll(async () => {
  lab = await openLab((girder) => ({
    'girder.apiKey': 'k'.repeat(40),
    'girder.apiUrl': girder.apiUrl,
    'slurm.mem': '111M',
    'slurm.time': '9',
    'slurm.rules': [
      { image: 'other/*', mem: '999M' },
      { image: 'test/*', cli: 'Sho?', mem: '333M', time: '7' },
    ],
  }));
  lab.girder.fail((_, path) => {
    if (path === 'api_key/token') return answer({ authToken: { token: 'T', scope: [] } });
    return path.startsWith('system/setting') ? answer(girderSettings) : undefined;
  });
});

afterAll(async () => {
  await lab.close();
});

/** Slurm's record of the job of a successful run. */
async function slurmOf(args: Parameters<Lab['publish']>[0]['args']): Promise<string> {
  const published = await lab.publish({ args });
  expectStatus(await lab.ended(published), status.success);
  const run = lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === published.id);
  const shown = await lab.command('scontrol', ['show', 'job', run?.jobId ?? '']);
  return shown.kind === 'exited' ? shown.stdout : '';
}

test('Slurm gets the resources of the task, a rule, Girder and the profile, in this order', async () => {
  const { girder } = lab;
  const input = await girder.addFile(girder.rootFolderId, 'a', Buffer.from('a'));
  const results = girder.addFolder(girder.rootFolderId, 'r');
  const [ruled, own, plain] = await Promise.all([
    slurmOf(['Show', '/dev/null']),
    slurmOf(['Show', '/dev/null', '--slurm_mem', '444M']),
    slurmOf(['Copy', { file: input.id, name: 'a' }, { output: 'b', toFolder: results.id }]),
  ]);
  expect(ruled).toContain('MinMemoryNode=333M');
  expect(ruled).toContain('TimeLimit=00:07:00');
  expect(ruled).toContain('CPUs/Task=2');
  expect(own).toContain('MinMemoryNode=444M');
  expect(plain).toContain('MinMemoryNode=222M');
  expect(plain).toContain('TimeLimit=00:09:00');
  // Girder's hostile value was ignored and reported
  expect(lab.worker.handle.snapshot().health.problem).toContain('worker_slurm.qos is ignored');
});
