import { expect, test } from 'vitest';
import { connect } from '../../../src/celery/amqp/amqplib.js';
import { createRunner } from '../../../src/base/command.js';
import { leftovers } from '../../../src/sandbox/services/slurm-leftovers.js';
import { testSite } from '../../support/test-site.js';

const run = createRunner({ env: { ...process.env, SLURM_CONF: testSite().slurmConf } });

/** Name, partition, state and CPUs of each node. */
async function nodes(): Promise<string[]> {
  const result = await run('sinfo', ['--noheader', '--Node', '-o', '%N|%P|%t|%c']);
  if (result.kind !== 'exited' || result.exitCode !== 0) throw new Error(JSON.stringify(result));
  return result.stdout.trim().split('\n');
}

test('four nodes are idle and the default partition comes first', async () => {
  // jobs of earlier tests may still be completing
  await expect.poll(nodes, { timeout: 60_000 }).toContain('n1|pathology*|idle|8');
  const names = (await nodes()).map((line) => line.split('|')[0]);
  expect(new Set(names)).toEqual(new Set(['n1', 'n2', 'n3', 'n4']));
  expect(testSite().slurmPartitions[0]).toBe('pathology');
});

test('a job runs, and its processes can be identified by their cluster', async () => {
  const submitted = await run('sbatch', ['--parsable', '--output=/dev/null', '--wrap=sleep 60']);
  expect(submitted).toMatchObject({ kind: 'exited', exitCode: 0 });
  const id = submitted.kind === 'exited' ? submitted.stdout.trim() : '';
  await expect.poll(() => leftovers(testSite().slurmConf), { timeout: 60_000 }).not.toEqual([]);
  await run('scancel', [id]);
  await expect.poll(() => leftovers(testSite().slurmConf), { timeout: 60_000 }).toEqual([]);
});

test('RabbitMQ accepts the given URL and no guessed password', async () => {
  const connection = await connect(testSite().amqpUrl);
  await connection.close();
  const guess = new URL(testSite().amqpUrl);
  guess.password = 'guest';
  await expect(connect(guess.href)).rejects.toThrow(/ACCESS_REFUSED|403/);
});

test('rabbitmqctl reaches the private node', async () => {
  const answer = await run(testSite().rabbitmqctl, ['--quiet', 'list_vhosts'], {
    env: testSite().rabbitmqEnv,
  });
  expect(answer).toMatchObject({ kind: 'exited', exitCode: 0 });
});
