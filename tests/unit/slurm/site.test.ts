import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readClusterInfo } from '../../../src/slurm/site.js';
import { fakeRun, printed, unreachable } from './fake-run.js';

const config = readFileSync(new URL('../../fixtures/slurm/show-config-22.05.txt', import.meta.url), 'utf8');
const sinfo = readFileSync(new URL('../../fixtures/slurm/sinfo-22.05.txt', import.meta.url), 'utf8');

it('reads a real site', async () => {
  const { run } = fakeRun((call) => printed(call.file === 'sinfo' ? sinfo : config));
  expect(await readClusterInfo(run)).toEqual({
    version: '22.05.8',
    cluster: 'scratch',
    minJobAge: 300,
    accounting: false,
    enforced: [],
    privateData: [],
    partitions: [
      { name: 'main', isDefault: true, up: true, timeLimit: null, nodes: 4 },
      { name: 'short', isDefault: false, up: true, timeLimit: 600, nodes: 2 },
    ],
    rateLimit: null,
  });
});

it('reads accounting, rate limit and what is hidden', async () => {
  const other = config
    .replace('accounting_storage/none', 'accounting_storage/slurmdbd')
    .replace(/^PrivateData.*$/m, 'PrivateData             = jobs,nodes')
    .replace(
      /^SlurmctldParameters.*$/m,
      'SlurmctldParameters     = cloud_dns,rl_enable,rl_bucket_size=50,rl_refill_rate=10,rl_refill_period=2',
    );
  const { run } = fakeRun((call) => printed(call.file === 'sinfo' ? sinfo : other));
  expect(await readClusterInfo(run)).toMatchObject({
    accounting: true,
    privateData: ['jobs', 'nodes'],
    rateLimit: { burst: 50, perSecond: 5 },
  });
});

it('returns null values if Slurm does not answer', async () => {
  expect(await readClusterInfo(fakeRun(() => unreachable).run)).toEqual({
    version: null,
    cluster: null,
    minJobAge: null,
    accounting: null,
    enforced: null,
    privateData: [],
    partitions: null,
    rateLimit: null,
  });
});
