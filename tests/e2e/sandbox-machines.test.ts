import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { runOnMachine, type Ended, type Machine } from '../support/namespaces.js';
import type { Environment } from '../support/program.js';
import { sandboxCommand } from '../support/sandbox-program.js';

/** Must be short: it holds sockets. */
let parent: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dsa-m-'));
  await chmod(parent, 0o755);
});

afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

let count = 0;

/** The /etc/hosts of a fresh Debian installation. */
async function debianMachine(): Promise<Machine> {
  const dir = join(parent, String((count += 1)));
  await mkdir(dir);
  return { dir, hostName: 'lab-pc', hosts: ['127.0.0.1 localhost', '127.0.1.1 lab-pc'] };
}

/** The output of `dsa-slurm sandbox` there. Asserts that no temporary files are left. */
async function runSandboxOn(
  on: Machine,
  { args = [], prefix = [], env = {} }: { args?: string[]; prefix?: string[]; env?: Environment } = {},
): Promise<Ended> {
  const tmp = join(on.dir, 'tmp');
  await mkdir(tmp);
  await chmod(tmp, 0o1777);
  const ended = await runOnMachine(on, [...prefix, ...sandboxCommand(...args)], {
    PATH: process.env['PATH'],
    TMPDIR: tmp,
    ...env,
  });
  expect(await readdir(tmp)).toEqual([]);
  return ended;
}

/** Shell lines that mount a directory over itself with a flag, such as `noexec`. */
const remount = (path: string, flag: string): string[] => [
  `mount --bind ${path} ${path}`,
  `mount -o remount,bind,${flag} ${path}`,
];

/** Whether the tests run as root, who can be any user. */
const isRoot = process.getuid?.() === 0;

describe.concurrent('the whole sandbox', () => {
  test('without a home, without the right to mount, and with a /tmp that is mounted noexec', async () => {
    const on = await debianMachine();
    const [root, noexec] = [join(on.dir, 'root'), join(on.dir, 'noexec')];
    await Promise.all([root, noexec].map(async (directory) => mkdir(directory)));
    const setup = [`mount -t tmpfs -o noexec,mode=1777 tmpfs ${noexec}`];
    // In a chroot, user namespaces are not permitted, and without CAP_SYS_ADMIN root cannot create others. For an ordinary
    // user, the namespace that maps the user back already reaches the kernel's limit.
    if (isRoot) setup.push(`mount --rbind / ${root}`);
    else setup.push('echo 1 > /proc/sys/user/max_user_namespaces');
    const capabilities = ['setpriv', '--bounding-set=-sys_admin,-sys_resource', '--'];
    const { code, stdout } = await runSandboxOn(
      { ...on, setup },
      {
        args: ['--count', '7', '--json'],
        prefix: isRoot ? ['chroot', root, ...capabilities] : [],
        env: { TMPDIR: noexec },
      },
    );
    const result = JSON.parse(stdout) as { ok: boolean; standIns: string[]; runs: { problems: string[] }[] };
    expect(result.runs.flatMap(({ problems }) => problems)).toEqual([]);
    expect(result.standIns).toContainEqual(expect.stringContaining('mounting is not permitted here'));
    expect(result.runs).toContainEqual(expect.objectContaining({ direct: true, expected: 'succeeded' }));
    expect({ code, ok: result.ok }).toEqual({ code: 0, ok: true });
  });

  test('where /tmp itself is mounted noexec, it uses /var/tmp', async () => {
    const on = await debianMachine();
    // a checkout below /tmp must still run
    const checkout = fileURLToPath(new URL('../../', import.meta.url));
    const setup = [...remount('/tmp', 'noexec'), ...remount(checkout, 'exec')];
    const { code, stdout, stderr } = await runSandboxOn(
      { ...on, setup },
      { args: ['--count', '1'], env: { TMPDIR: '/tmp' } },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('The analysis ended as planned');
    expect(stdout).toContain('/var/tmp/dsa-slurm-');
  });

  test.runIf(isRoot)('as an ordinary user with a read-only home', async () => {
    const on = await debianMachine();
    const { code, stdout, stderr } = await runSandboxOn(on, {
      args: ['--count', '1'],
      prefix: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'],
      env: { HOME: '/sys' },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('The analysis ended as planned');
  });

  test.runIf(isRoot)('is refused to a user without a name, with the line for /etc/passwd', async () => {
    const on = await debianMachine();
    const { code, stderr } = await runSandboxOn(on, {
      prefix: ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups', '--'],
    });
    expect(code).toBe(1);
    expect(stderr).toContain('The user with the id 54321 has no name');
    expect(stderr).toContain('Add this line to /etc/passwd, as root: sandbox:x:54321:54321::/tmp:/bin/sh');
  });

  test('is refused if programs are missing and cannot be installed', async () => {
    const on = await debianMachine();
    const empty = join(on.dir, 'empty');
    await mkdir(empty);
    // another distribution, without RabbitMQ
    const osRelease = join(on.dir, 'os-release');
    await writeFile(osRelease, 'ID="rocky"\nID_LIKE="rhel centos fedora"\n');
    const setup = [
      `mount --bind ${empty} /usr/lib/rabbitmq`,
      `mount --bind ${osRelease} "$(readlink -f /etc/os-release)"`,
    ];
    const { code, stderr } = await runSandboxOn({ ...on, setup });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'dsa-slurm: Not installed: rabbitmq-server.\n' +
        '  Type: sudo dnf install epel-release && sudo dnf install slurm slurm-slurmctld slurm-slurmd munge; ' +
        'then install rabbitmq-server as https://www.rabbitmq.com/docs/install-rpm says.\n',
    });
  });

  test('names the daemon that does not start, with the end of its log', async () => {
    const on = await debianMachine();
    const broken = join(on.dir, 'slurmd');
    await writeFile(
      broken,
      '#!/bin/sh\n[ "$1" = -V ] && exec echo slurm 22.05.8\necho "no such plugin" >&2\nexit 1\n',
    );
    await chmod(broken, 0o755);
    const { code, stderr } = await runSandboxOn(on, {
      env: { PATH: `${on.dir}:${process.env['PATH'] ?? ''}` },
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^dsa-slurm: slurmd-n\d ended while Slurm was being started\./);
    expect(stderr).toContain('no such plugin');
  });
});
