import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { freePorts } from '../../../src/sandbox/tcp-ports.js';
import {
  retryWhenChildEnds,
  startChild,
  untilReady,
  type ChildOptions,
} from '../../../src/sandbox/process.js';
import { slurmConf } from '../../../src/sandbox/services/slurm-conf.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-process-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

const shell = (script: string, more: Partial<ChildOptions> = {}) =>
  startChild({
    name: 'child',
    file: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
    cwd: dir,
    output: join(dir, 'child.log'),
    ...more,
  });

const logged = () => readFile(join(dir, 'child.log'), 'utf8');

/** A service whose daemon exits the first `failures` times. */
const starter = (failures: number) => {
  let starts = 0;
  return async () => {
    starts += 1;
    const child = await shell(starts <= failures ? 'echo eaddrinuse; exit 1' : 'sleep 60');
    try {
      await untilReady('it', () => Promise.resolve(starts > failures), { children: [child] });
      return starts;
    } finally {
      await child.stop();
    }
  };
};

describe('a child', () => {
  test('that handles SIGTERM is stopped by it', async () => {
    const child = await shell('trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done');
    await expect.poll(logged, { timeout: 5_000 }).toContain('up');
    await child.stop();
    expect(child.running()).toBe(false);
    expect(await logged()).toContain('bye');
  });

  test('that ignores SIGTERM is killed with its process group', async () => {
    const child = await shell('trap "" TERM; sleep 61 & echo $!; while :; do sleep 0.05; done');
    await expect.poll(logged, { timeout: 5_000 }).toMatch(/\d+\n/);
    const grandchild = Number((await logged()).trim());
    await child.stop(100);
    expect(child.running()).toBe(false);
    // A zombie that was not reaped yet is dead, too.
    await expect.poll(() => isZombie(grandchild), { timeout: 5_000 }).toBe(true);
  });

  test('that dies while its service starts ends the wait, with the path of its log', async () => {
    const child = await shell('echo no licence; exit 1');
    const wait = untilReady('The service', () => Promise.resolve(false), { children: [child] });
    await expect(wait).rejects.toMatchObject({ code: 'sandbox', next: expect.stringContaining('child.log') });
    await child.stop();
  });

  test('that prevents a service from becoming ready is named, with the end of its own log', async () => {
    const ownLog = join(dir, 'own.log');
    await writeFile(ownLog, 'cannot reach the controller\n');
    const culprit = await shell('sleep 60', { name: 'slurmd-n1', ownLog });
    const other = await shell('sleep 60');
    const wait = untilReady('Slurm', () => Promise.resolve(false), {
      children: [culprit, other],
      suspect: () => Promise.resolve(culprit),
      timeoutMs: 50,
      stepMs: 10,
    });
    await expect(wait).rejects.toThrow(
      /^Slurm was not ready within 0\.05 s: slurmd-n1 did not come up\. .*\ncannot reach the controller$/,
    );
    await Promise.all([culprit.stop(), other.stop()]);
  });

  test('is no longer waited for after a stop', async () => {
    const child = await shell('sleep 60');
    const stop = new AbortController();
    const wait = untilReady('it', () => Promise.resolve(false), { children: [child], signal: stop.signal });
    stop.abort(new Error('stopped'));
    await expect(wait).rejects.toThrow();
    await child.stop();
  });

  test('whose program does not exist cannot be started', async () => {
    const missing = startChild({
      name: 'nothing',
      file: join(dir, 'no-such-program'),
      args: [],
      env: {},
      cwd: dir,
      output: join(dir, 'child.log'),
    });
    const child = await missing.catch((error: unknown) => error);
    if (child instanceof Error) expect(child.message).toMatch(/could not be started/);
    else
      await expect(
        untilReady('It', () => Promise.resolve(false), { children: [child as never] }),
      ).rejects.toThrow(/ended/);
  });
});

describe('a service', () => {
  test('whose daemon exited, as on a port that was just taken, is started again', async () => {
    expect(await retryWhenChildEnds('It', silentLog(), starter(2))).toBe(3);
  });

  test('fails after three attempts, with the output of the daemon', async () => {
    await expect(retryWhenChildEnds('It', silentLog(), starter(9))).rejects.toThrow(
      /^child ended while it was being started\. The last lines of its log:\n(eaddrinuse\n?){3}$/,
    );
  });

  test('is not started again after any other error', async () => {
    let starts = 0;
    const start = () => Promise.reject(new Error(`no disk ${(starts += 1)}`));
    await expect(retryWhenChildEnds('It', silentLog(), start)).rejects.toThrow('no disk 1');
  });
});

async function isZombie(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ');
  return /^State:\s+Z/m.test(status);
}

test('free ports are different and not taken', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  expect(ports).not.toContain((server.address() as AddressInfo).port);
  server.close();
});

const slurm = {
  dir: '/d',
  spoolDir: '/s',
  mungeSocket: '/m',
  user: 'me',
  host: { address: '127.0.1.1', enableIpv6: false },
  controllerPort: 1,
  nodes: [
    { name: 'n1', port: 2 },
    { name: 'n2', port: 3 },
  ],
  partitions: ['pathology', 'long'],
  minJobAge: 7,
};

test('slurm.conf: ports, one default partition, GPUs on the last node', () => {
  const conf = slurmConf(slurm);
  expect(conf).toMatch(/^NodeName=n1 .* NodeAddr=127\.0\.1\.1 Port=2 CPUs=8 RealMemory=16000$/m);
  expect(conf).toMatch(/^NodeName=n2 .*Port=3 .*Gres=gpu:2$/m);
  expect(conf.match(/Default=YES/g)).toHaveLength(1);
  expect(conf).toMatch(/^PartitionName=pathology Nodes=n1,n2 .*Default=YES$/m);
  expect(conf).toMatch(/^MinJobAge=7$/m);
});

test.each([
  ['127.0.0.1', false, 'NoCtldInAddrAny,NoInAddrAny'],
  ['127.0.1.1', false, 'NoCtldInAddrAny'],
  ['127.0.1.1', true, 'NoCtldInAddrAny,EnableIPv6'],
  ['10.9.9.2', false, 'NoCtldInAddrAny,NoInAddrAny'],
  ['fd00:9::2', true, 'NoCtldInAddrAny,NoInAddrAny,EnableIPv6'],
])(
  'slurm.conf: where the host name is %s, srun listens where Slurm replies',
  (address, enableIpv6, expected) => {
    const conf = slurmConf({ ...slurm, host: { address, enableIpv6 } });
    expect(/^CommunicationParameters=(.*)$/m.exec(conf)?.[1]).toBe(expected);
  },
);
