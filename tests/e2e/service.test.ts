import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lockState } from '../../src/worker/run-state/state-lock.js';
import { dsaSlurm } from '../support/program.js';

/** Node.js has no datagram sockets of Unix: this one prints what it receives, a line each. */
const listener = `
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
    server.bind(sys.argv[1])
    print('listening', flush=True)
    while True:
        for line in server.recv(65536).decode().splitlines():
            print(line, flush=True)
`;

let root: string;
let manager: ChildProcess;
let received = '';
let worker: ChildProcess | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dsa-service-'));
  received = '';
  manager = spawn('/usr/bin/python3', ['-c', listener, join(root, 'notify')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  manager.stdout?.setEncoding('utf8').on('data', (text: string) => (received += text));
  await vi.waitFor(() => expect(received).toContain('listening'), 60_000);
});

afterEach(async () => {
  worker?.kill('SIGKILL');
  manager.kill();
  await once(manager, 'close');
  await rm(root, { recursive: true, force: true });
});

/** A worker that runs jobs on this host and whose RabbitMQ is away, as a service manager starts it. */
function startService(flags = ['--set', 'worker.executor=local']): { stderr: () => string } {
  const args = ['worker', ...flags, '--set', `dirs.logs=${root}/logs`];
  // what systemd does: JOURNAL_STREAM is the device and inode of standard error
  const script = 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"';
  const child = spawn('/bin/sh', ['-c', script, 'sh', dsaSlurm, ...args], {
    env: {
      PATH: process.env['PATH'],
      HOME: root,
      DSA_SLURM_BROKER_URL: 'amqp://guest:guest@127.0.0.1:1/',
      DSA_SLURM_IMAGES: root,
      NOTIFY_SOCKET: join(root, 'notify'),
      WATCHDOG_USEC: '1000000',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  worker = child;
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { stderr: () => stderr };
}

test('the service manager receives readiness, status, signs of life and the stop', async () => {
  const { stderr } = startService();
  await vi.waitFor(
    () => expect(received, stderr()).toMatch(/^READY=1\nSTATUS=0 runs in flight; RabbitMQ: \w+/m),
    60_000,
  );
  const count = () => received.match(/^WATCHDOG=1$/gm)?.length ?? 0;
  await vi.waitFor(() => expect(count()).toBeGreaterThan(2), 60_000);
  expect(received).not.toContain('STOPPING');
  worker?.kill('SIGTERM');
  await vi.waitFor(() => expect(received).toMatch(/^STOPPING=1$/m), 60_000);
});

test('a standby is ready while it waits, says so, and reports signs of life', async () => {
  const state = join(root, 'state');
  const held = await lockState(state, { leaseSeconds: 20, onLost: (reason) => expect.fail(reason) });
  try {
    const { stderr } = startService(['--standby', '--set', `dirs.state=${state}`]);
    const ready = `READY=1\nSTATUS=standing by for the worker on ${hostname()}\n`;
    await vi.waitFor(() => expect(received, stderr()).toContain(ready), 60_000);
    const before = received.match(/^WATCHDOG=1$/gm)?.length ?? 0;
    await vi.waitFor(
      () => expect(received.match(/^WATCHDOG=1$/gm)?.length).toBeGreaterThan(before + 1),
      60_000,
    );
    expect(received).not.toMatch(/runs in flight/);
    worker?.kill('SIGTERM');
    const [code] = (await once(worker ?? manager, 'close')) as [number | null];
    expect(code).toBe(0);
  } finally {
    await held.release();
  }
});

test('lines for the journal begin with their priority', async () => {
  const { stderr } = startService();
  await vi.waitFor(() => expect(received, stderr()).toMatch(/^READY=1$/m), 60_000);
  worker?.kill('SIGTERM');
  await once(worker ?? manager, 'close');
  const lines = stderr().trimEnd().split('\n');
  for (const line of lines) expect(line).toMatch(/^<[2-7]>\{"level":\d+,/);
  expect(lines.filter((line) => line.startsWith('<4>')).join('\n')).toContain('RabbitMQ');
  expect(lines.some((line) => line.startsWith('<6>'))).toBe(true);
});

test('systemd-analyze has no complaint about the system unit', async () => {
  const template = await readFile(
    new URL('../../templates/worker/dsa-slurm-system.service', import.meta.url),
    'utf8',
  );
  const unit = join(root, 'dsa-slurm@.service');
  await writeFile(unit, template.replace('/usr/local/bin/dsa-slurm', dsaSlurm));
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', unit]);
  // it also reads units of this host
  expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('dsa-slurm'))).toEqual([]);
});
