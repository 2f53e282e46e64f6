import { constants } from 'node:fs';
import { access, open, readFile, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { CheckContext, Check, Finding } from '../../check.js';
import { systemCode } from '../../../base/errors.js';
import { proofText, readProbeRecord } from '../../probe/probe-record.js';
import { combine, configSet, ok, warn } from '../../check-result.js';

export interface PrivilegeFacts {
  profile: string;
  isRoot: boolean;
  /** Numbers of the capabilities that the kernel has and this process lacks. */
  missingCapabilities: readonly number[];
  /** Apptainer requests fewer than all capabilities, by an option or its configuration. */
  needsNoCapabilities: boolean;
  /** Values below /proc/sys; null if the file does not exist. */
  maxUserNamespaces: string | null;
  unprivilegedClone: string | null;
  apparmorRestricts: string | null;
  /** Path of a setuid starter of the runtime, if there is one. */
  setuidStarter: string | null;
  /** Whether this user may open /dev/fuse; `missing` if the device does not exist. */
  fuse: 'open' | 'closed' | 'missing';
  /** Path of squashfuse_ll or squashfuse, which mounts a SIF without privileges. */
  squashfuse: string | null;
}

/**
 * Whether this host can start containers: with root's capabilities, with the runtime's setuid starter, or with user namespaces
 * and squashfuse on /dev/fuse. `apptainer.start` verifies it.
 */
export function judgePrivileges(facts: PrivilegeFacts): Finding {
  if (facts.isRoot && !facts.needsNoCapabilities) return judgeRoot(facts);
  if (facts.setuidStarter !== null) return ok(`setuid starter: ${facts.setuidStarter}`);
  return combine([judgeNamespaces(facts), ...(facts.isRoot ? [] : [judgeMounts(facts)])]);
}

function judgeRoot({ missingCapabilities, profile }: PrivilegeFacts): Finding {
  if (missingCapabilities.length === 0) return ok('root with all capabilities');
  const names = missingCapabilities.map((number) => capabilityNames[number] ?? `number ${number}`);
  return warn(
    `Root without ${names.join(', ')}, as in a container: Apptainer requests all capabilities and will not start.`,
    capabilitiesFix(profile),
  );
}

/** The fix for root without all capabilities. */
export function capabilitiesFix(profile: string): string {
  return `${configSet(profile, 'apptainer.options', '["--userns"]')}   # or run the worker as an ordinary user`;
}

export const namespacesFix =
  'sysctl -w user.max_user_namespaces=15000   # as root, or install the package apptainer-suid';

export const fuseFix = 'chmod 666 /dev/fuse   # as root; with the package fuse3, udev does this at boot';

export const squashfuseFix = 'apt-get install squashfuse   # or: dnf install squashfuse';

function judgeNamespaces(facts: PrivilegeFacts): Finding {
  const blocked: string[] = [];
  if (facts.maxUserNamespaces?.trim() === '0') blocked.push('user.max_user_namespaces is 0');
  if (facts.unprivilegedClone?.trim() === '0') blocked.push('kernel.unprivileged_userns_clone is 0');
  if (facts.apparmorRestricts?.trim() === '1') blocked.push('AppArmor restricts user namespaces');
  if (blocked.length === 0) return ok('user namespaces are available');
  return warn(
    `Containers cannot start on this host: no user namespaces (${blocked.join(', ')}) and no setuid starter.`,
    namespacesFix,
  );
}

function judgeMounts({ squashfuse, fuse }: PrivilegeFacts): Finding {
  if (squashfuse === null) {
    return warn(
      'squashfuse is missing: each job unpacks its whole image into its /tmp first, which can take minutes.',
      squashfuseFix,
    );
  }
  if (fuse === 'open') return ok(`images are mounted with ${squashfuse}`);
  return fuse === 'closed'
    ? warn('This user may not open /dev/fuse, so no image can be mounted and no container starts.', fuseFix)
    : warn(
        'There is no /dev/fuse, so no image can be mounted and no container starts.',
        'modprobe fuse   # as root',
      );
}

export const privileges: Check = {
  id: 'apptainer.privileges',
  group: 'apptainer',
  title: 'capabilities, user namespaces, squashfuse',
  needs: ['apptainer.version'],
  async run(context) {
    const { settings, profile } = context;
    const build = await buildConfig(context);
    const libexec = build.get('LIBEXECDIR');
    const beside = (program: string): string[] =>
      libexec?.startsWith('/') === true
        ? ['apptainer', 'singularity'].map((name) => join(libexec, name, 'bin', program))
        : [];
    const setuid = await Promise.all(
      beside('starter-suid').map(async (path) => {
        const found = await stat(path).catch(() => null);
        return found !== null && (found.mode & 0o4000) !== 0 ? path : null;
      }),
    );
    const directories = [
      ...(context.env['PATH'] ?? '').split(delimiter),
      '/usr/local/sbin',
      '/usr/local/bin',
      '/usr/sbin',
      '/usr/bin',
    ];
    const squashfuse = ['squashfuse_ll', 'squashfuse'].flatMap((program) => [
      ...beside(program),
      ...directories.filter((directory) => directory.startsWith('/')).map((each) => join(each, program)),
    ]);
    const configuration = build.get('APPTAINER_CONF_FILE');
    const conf = configuration === undefined ? '' : await readFile(configuration, 'utf8').catch(() => '');
    const finding = judgePrivileges({
      profile,
      isRoot: process.getuid?.() === 0,
      missingCapabilities: missingCapabilities(
        await readFile('/proc/self/status', 'utf8').catch(() => ''),
        await sysctl('kernel/cap_last_cap'),
      ),
      needsNoCapabilities:
        settings.apptainer.options.some((option) =>
          /^(--userns|-u|--no-privs|--drop-caps(=.*)?)$/.test(option),
        ) || /^\s*root default capabilities\s*=\s*(file|no)\s*$/m.test(conf),
      maxUserNamespaces: await sysctl('user/max_user_namespaces'),
      unprivilegedClone: await sysctl('kernel/unprivileged_userns_clone'),
      apparmorRestricts: await sysctl('kernel/apparmor_restrict_unprivileged_userns'),
      setuidStarter: setuid.find((path) => path !== null) ?? null,
      fuse: await openFuse(),
      squashfuse: await firstExecutable(squashfuse),
    });
    const { container } = await readProbeRecord(settings.dirs.state);
    if (finding.status !== 'warn' || container === null || settings.worker.executor !== 'slurm')
      return finding;
    // jobs run on the nodes, where a container has started
    return ok([
      `Containers started on ${proofText(container)}.`,
      ...finding.evidence.map((line) => `On this host: ${line}`),
    ]);
  },
};

/** The runtime's build settings: `LIBEXECDIR=/usr/libexec`, one per line. */
async function buildConfig({ run, settings, signal }: CheckContext): Promise<Map<string, string>> {
  const result = await run(settings.apptainer.command, ['buildcfg'], { timeoutMs: 3_000, signal });
  const text = result.kind === 'exited' && result.exitCode === 0 ? result.stdout : '';
  return new Map([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
}

async function firstExecutable(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}

async function openFuse(): Promise<PrivilegeFacts['fuse']> {
  try {
    await (await open('/dev/fuse', 'r+')).close();
    return 'open';
  } catch (error) {
    const code = systemCode(error);
    return code === 'EACCES' || code === 'EPERM' ? 'closed' : 'missing';
  }
}

/**
 * The kernel's capabilities that a process does not have.
 * @param status text of /proc/self/status
 * @param last text of /proc/sys/kernel/cap_last_cap
 */
export function missingCapabilities(status: string, last: string | null): number[] {
  const [, permitted] = /^CapPrm:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  if (permitted === undefined || last === null) return [];
  const mask = BigInt(`0x${permitted}`);
  return Array.from({ length: Number(last) + 1 }, (_, number) => number).filter(
    (number) => ((mask >> BigInt(number)) & 1n) === 0n,
  );
}

/** Capabilities that containers often lack (capability.h). */
const capabilityNames: Readonly<Record<number, string>> = {
  12: 'CAP_NET_ADMIN',
  13: 'CAP_NET_RAW',
  16: 'CAP_SYS_MODULE',
  17: 'CAP_SYS_RAWIO',
  19: 'CAP_SYS_PTRACE',
  21: 'CAP_SYS_ADMIN',
  22: 'CAP_SYS_BOOT',
  23: 'CAP_SYS_NICE',
  24: 'CAP_SYS_RESOURCE',
  25: 'CAP_SYS_TIME',
  27: 'CAP_MKNOD',
  30: 'CAP_AUDIT_CONTROL',
  34: 'CAP_SYSLOG',
  36: 'CAP_BLOCK_SUSPEND',
};

async function sysctl(path: string): Promise<string | null> {
  return readFile(`/proc/sys/${path}`, 'utf8').catch(() => null);
}
