import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../finding.js';

export interface PrivilegeFacts {
  isRoot: boolean;
  /** Texts of files below /proc/sys; null where there is none. */
  maxUserNamespaces: string | null;
  unprivilegedClone: string | null;
  apparmorRestricts: string | null;
  /** Path of a setuid starter of the runtime, if there is one. */
  setuidStarter: string | null;
}

/** Whether a container can be started without being root: by user namespaces or by the runtime's setuid starter. Pure. */
export function judgePrivileges(facts: PrivilegeFacts): Finding {
  if (facts.isRoot) return ok('This is root, who may start containers anyhow.');
  const blocked: string[] = [];
  if (facts.maxUserNamespaces?.trim() === '0') blocked.push('user.max_user_namespaces is 0');
  if (facts.unprivilegedClone?.trim() === '0') blocked.push('kernel.unprivileged_userns_clone is 0');
  if (facts.apparmorRestricts?.trim() === '1') blocked.push('AppArmor restricts user namespaces');
  if (facts.setuidStarter !== null) return ok(`setuid starter: ${facts.setuidStarter}`);
  if (blocked.length === 0) return ok('user namespaces are open to everybody');
  return warn(
    `Neither user namespaces (${blocked.join(', ')}) nor a setuid starter: containers cannot start on this machine.`,
    'sysctl -w user.max_user_namespaces=15000   # as root, or install the package apptainer-suid',
  );
}

export const privileges: Check = {
  id: 'apptainer.privileges',
  group: 'apptainer',
  title: 'user namespaces or setuid',
  needs: ['apptainer.version'],
  async run({ run, settings, signal }) {
    const build = await run(settings.apptainer.command, ['buildcfg', 'LIBEXECDIR'], {
      timeoutMs: 3_000,
      signal,
    });
    const libexec = build.kind === 'exited' && build.exitCode === 0 ? build.stdout.trim() : '';
    const starters = libexec.startsWith('/')
      ? ['apptainer', 'singularity'].map((name) => join(libexec, name, 'bin', 'starter-suid'))
      : [];
    const setuid = await Promise.all(
      starters.map(async (path) => {
        const found = await stat(path).catch(() => null);
        return found !== null && (found.mode & 0o4000) !== 0 ? path : null;
      }),
    );
    return judgePrivileges({
      isRoot: process.getuid?.() === 0,
      maxUserNamespaces: await sysctl('user/max_user_namespaces'),
      unprivilegedClone: await sysctl('kernel/unprivileged_userns_clone'),
      apparmorRestricts: await sysctl('kernel/apparmor_restrict_unprivileged_userns'),
      setuidStarter: setuid.find((path) => path !== null) ?? null,
    });
  },
};

async function sysctl(path: string): Promise<string | null> {
  return readFile(`/proc/sys/${path}`, 'utf8').catch(() => null);
}
