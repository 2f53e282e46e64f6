import { describe, expect, test } from 'vitest';
import type { CommandResult, RunCommand } from '../../../src/base/command.js';
import { findMissing, howToInstall, installMissing } from '../../../src/sandbox/services/packages.js';

const ok: CommandResult = { kind: 'exited', exitCode: 0, stdout: '', stderr: '', ms: 1 };
const bad = (stderr: string): CommandResult => ({ ...ok, exitCode: 1, stderr });

/** A Debian machine with these files, which apt-get changes. */
function machine({
  files = [],
  celery = false,
  sudo = false,
  aptInstalls = true,
}: {
  files?: string[];
  celery?: boolean;
  sudo?: boolean;
  aptInstalls?: boolean;
} = {}) {
  const present = new Set(['/usr/bin/apt-get', '/run/systemd/system', ...files]);
  const calls: string[] = [];
  let hasCelery = celery;
  const run: RunCommand = (file, args, { onOutput } = {}) => {
    const line = [file, ...args].join(' ');
    calls.push(line);
    if (file === '/usr/bin/python3') return Promise.resolve(hasCelery ? ok : bad('No module'));
    if (line === 'sudo -n true') return Promise.resolve(sudo ? ok : bad('a password is required'));
    if (line.includes(' install ')) {
      if (!aptInstalls) return Promise.resolve(bad('E: Unable to locate package slurm-wlm'));
      for (const file of all) present.add(file);
      onOutput?.('Get:1 http://mirror/debian bookworm/main amd64 munge amd64 0.5 [1 kB]\nSetting up mun');
      onOutput?.('ge (0.5) ...\nProcessing triggers for libc-bin\n');
      hasCelery = true;
    }
    return Promise.resolve(ok);
  };
  return { run, calls, path: '/usr/bin', exists: (file: string) => present.has(file) };
}

const all = ['/usr/sbin/slurmctld', '/usr/sbin/slurmd', '/usr/bin/sbatch', '/usr/sbin/munged'];
all.push('/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/sbin/rabbitmq-server', '/usr/bin/epmd');

describe('missing packages', () => {
  test('none, although the daemons are not on a usual PATH', async () => {
    expect(await findMissing(machine({ files: all, celery: true }))).toEqual([]);
  });

  test('all; only Celery has a substitute', async () => {
    const missing = await findMissing(machine());
    expect(new Set(missing.map((entry) => entry.packageName))).toEqual(
      new Set(['slurm-wlm', 'munge', 'rabbitmq-server', 'python3-celery']),
    );
    expect(missing.filter((entry) => !entry.required)).toMatchObject([{ packageName: 'python3-celery' }]);
  });
});

describe('installing', () => {
  const lines: string[] = [];
  const options = {
    may: true,
    isRoot: true,
    osRelease: 'ID=debian',
    onLine: (line: string) => void lines.push(line),
  };

  test('root: update, install, and the fresh services are stopped and disabled', async () => {
    const debian = machine();
    expect(await installMissing({ ...debian, ...options })).toEqual([]);
    const apt = debian.calls.filter((call) => call.includes('apt-get'));
    expect(apt).toEqual([
      'env apt-get -q -y update',
      'env apt-get -q -y install --no-install-recommends slurm-wlm munge rabbitmq-server python3-celery',
    ]);
    expect(debian.calls).toContain('env systemctl disable --now --quiet rabbitmq-server.service');
    expect(debian.calls).toContain('env systemctl disable --now --quiet munge.service');
  });

  test('shows the progress of apt-get', async () => {
    const messages: string[] = [];
    await installMissing({ ...machine(), ...options, onLine: (line) => void messages.push(line) });
    expect(messages.slice(1)).toEqual([
      '  Updating the list of packages …',
      '  fetching munge',
      '  setting up munge',
    ]);
  });

  test('a stop waits until apt-get has finished', async () => {
    const stop = new AbortController();
    const messages: string[] = [];
    const debian = machine();
    const run: RunCommand = async (file, args, more) => {
      if (args.includes('install')) {
        expect(more?.signal).toBeUndefined();
        stop.abort();
      }
      return debian.run(file, args, more);
    };
    const signal = stop.signal;
    await installMissing({ ...debian, run, ...options, signal, onLine: (line) => void messages.push(line) });
    expect(messages).toContainEqual(expect.stringMatching(/^Stopping as soon as apt-get has finished/));
  });

  test.each([
    ['ID=ubuntu\nID_LIKE=debian', /^Type: sudo apt-get .* slurm-wlm munge rabbitmq-server python3-celery$/],
    ['ID=fedora', /^Type: sudo dnf install slurm .* rabbitmq-server$/],
    [
      'ID="rocky"\nID_LIKE="rhel centos fedora"',
      /^Type: sudo dnf install epel-release .*install-rpm says\.$/,
    ],
    ['ID="opensuse-leap"\nID_LIKE="suse opensuse"', /^Type: sudo zypper install slurm slurm-node munge/],
    ['', /^Install Slurm \(slurmctld, slurmd, sbatch\), munge and RabbitMQ/],
  ])('without apt-get, os-release %j', (osRelease, advice) => {
    expect(howToInstall(osRelease)).toMatch(advice);
  });

  test('existing services are not touched, such as a slurmd without slurmctld', async () => {
    const debian = machine({ files: all.filter((file) => !file.includes('slurmctld')), celery: true });
    await installMissing({ ...debian, ...options });
    const stopped = debian.calls.filter((call) => call.includes('systemctl'));
    expect(stopped).toEqual(['env systemctl disable --now --quiet slurmctld.service']);
  });

  test('nothing is missing: only the check for Celery runs', async () => {
    const debian = machine({ files: all, celery: true });
    await installMissing({ ...debian, ...options });
    expect(debian.calls).toEqual(['/usr/bin/python3 -c import celery']);
  });

  test('an ordinary user with a passwordless sudo', async () => {
    const debian = machine({ sudo: true });
    await installMissing({ ...debian, ...options, isRoot: false });
    expect(debian.calls.some((call) => call.startsWith('sudo -n env ') && call.includes(' install '))).toBe(
      true,
    );
  });

  test.each([
    ['an ordinary user', { may: true, isRoot: false }],
    ['root without permission to install', { may: false, isRoot: true }],
  ])('%s gets the command to run', async (_who, rights) => {
    const debian = machine();
    await expect(installMissing({ ...debian, ...options, ...rights })).rejects.toMatchObject({
      code: 'sandbox',
      next: 'Type: sudo apt-get update && sudo apt-get install --no-install-recommends slurm-wlm munge rabbitmq-server python3-celery',
    });
    expect(debian.calls.filter((call) => call.includes('apt-get'))).toEqual([]);
  });

  test('without Celery alone the site starts anyway', async () => {
    const left = await installMissing({ ...machine({ files: all }), ...options, may: false });
    expect(left).toMatchObject([{ packageName: 'python3-celery' }]);
  });

  test("apt's own error message is passed on", async () => {
    const debian = machine({ aptInstalls: false });
    await expect(installMissing({ ...debian, ...options })).rejects.toThrow(/Unable to locate package/);
  });
});
