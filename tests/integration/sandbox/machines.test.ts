import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { fromSource, runOnMachine, type Machine } from '../../support/namespaces.js';

/** Must be short: it holds sockets. */
let parent: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dsa-m-'));
});

afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

let count = 0;

async function machine(description: Omit<Machine, 'dir' | 'hostName'>): Promise<Machine> {
  const dir = join(parent, String((count += 1)));
  await mkdir(dir);
  return { dir, hostName: 'lab-pc', ...description };
}

interface SmallSite {
  errors: { message: string; next?: string }[];
  job: unknown;
}

const smallSiteProgram = fileURLToPath(new URL('../../support/small-site.mjs', import.meta.url));

/** Slurm, and the services that the case concerns: five at a time take half a minute. */
async function startSmallSite(
  on: Machine,
  more: readonly ('rabbitmq' | 'accounting')[] = [],
): Promise<SmallSite> {
  const command = [process.execPath, ...fromSource, smallSiteProgram, on.dir, ...more];
  const { stdout, stderr } = await runOnMachine(on, command);
  if (!stdout.startsWith('{')) throw new Error(stdout + stderr);
  return JSON.parse(stdout) as SmallSite;
}

const localhost = '127.0.0.1 localhost';

describe.concurrent('the services of a sandbox start, and a job runs, where the host name is', () => {
  test.each([
    ['127.0.0.1', ['127.0.0.1 localhost lab-pc'], undefined],
    [
      "127.0.1.1, as Debian's installer writes it, without a network",
      [localhost, '127.0.1.1 lab-pc'],
      undefined,
    ],
    ['127.0.1.1, with a network', [localhost, '127.0.1.1 lab-pc.example.org lab-pc'], '10.9.9.2/32'],
    ['an address of its own, as in a container', [localhost, '10.9.9.2 lab-pc'], '10.9.9.2/32'],
    ['an IPv6 address only', [localhost, 'fd00:9::2 lab-pc'], 'fd00:9::2/128'],
  ])('%s', async (name, hosts, address) => {
    const on = await machine({ hosts, ...(address === undefined ? {} : { address }) });
    const broker =
      name.startsWith('an IPv6') || name.endsWith('without a network') ? (['rabbitmq'] as const) : [];
    expect(await startSmallSite(on, broker)).toEqual({ errors: [], job: 'it ran\nit ran interactively\n' });
  });
});

test('slurmdbd tells slurmctld of a new limit where the host name is 127.0.1.1', async () => {
  const on = await machine({ hosts: [localhost, '127.0.1.1 lab-pc'], address: '10.9.9.2/32' });
  const { errors, job } = await startSmallSite(on, ['accounting']);
  expect(errors).toEqual([]);
  expect(job).toMatchObject({ stderr: expect.stringContaining('QOSGrpSubmitJobsLimit') as string });
});

describe.concurrent('a sandbox is refused at once, with the line to write, where the host name', () => {
  const line = 'Add this line to /etc/hosts, as root, in place of any other with that name: 127.0.1.1 lab-pc';
  test.each([
    [
      'does not resolve',
      [localhost],
      { message: 'The host name "lab-pc" does not resolve to an address.', next: line },
    ],
    [
      'stands for an address of another machine',
      [localhost, '10.9.9.9 lab-pc'],
      {
        message:
          'The host name "lab-pc" resolves to 10.9.9.9, where nothing can listen on this machine (EADDRNOTAVAIL).',
        next: line,
      },
    ],
    [
      'is well, and localhost is missing',
      ['127.0.1.1 lab-pc'],
      {
        message: '"localhost" does not resolve to 127.0.0.1.',
        next: 'Add this line to /etc/hosts, as root: 127.0.0.1 localhost',
      },
    ],
  ])('%s', async (_name, hosts, error) => {
    const on = await machine({ hosts, address: '10.9.9.2/32' });
    expect(await startSmallSite(on)).toEqual({ errors: [error], job: null });
  });
});

test.concurrent('a sandbox starts beside a RabbitMQ and a Slurm on the default ports', async () => {
  const listen = [4369, 5672, 6817, 6818, 25672]
    .map((port) => `net.createServer().listen(${port})`)
    .join(';');
  const on = await machine({
    hosts: [localhost, '127.0.1.1 lab-pc'],
    setup: [`${process.execPath} -e '${listen}' &`],
  });
  expect(await startSmallSite(on, ['rabbitmq'])).toEqual({
    errors: [],
    job: 'it ran\nit ran interactively\n',
  });
});
