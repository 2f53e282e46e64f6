import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { DsaSlurmError } from '../base/errors.js';

type Env = Readonly<Record<string, string | undefined>>;

/** What a default may depend on. */
export interface DefaultContext {
  env: Env;
  profile: string;
}

/** The directory that holds one file a profile. `DSA_SLURM_CONFIG_DIR` goes before XDG's place. */
export function configDirectory(env: Env): string {
  const own = env['DSA_SLURM_CONFIG_DIR'];
  if (own !== undefined && own !== '') return resolve(own);
  return join(xdgBase(env, 'XDG_CONFIG_HOME', '.config'), 'dsa-slurm');
}

/** The profile's file, whether or not it is there. @throws DsaSlurmError `usage` for a name that is none. */
export function profilePath(configDir: string, profile: string): string {
  // no slash and no leading dot: a name can neither leave the directory nor hide in it
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(profile)) {
    throw new DsaSlurmError('usage', `${JSON.stringify(profile)} cannot be the name of a profile.`, {
      next: 'Use up to 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit.',
    });
  }
  return join(configDir, `${profile}.json`);
}

/** The name of the systemd user unit that keeps the worker of a profile running; `init` writes it. */
export function unitName(profile: string): string {
  return `dsa-slurm${profile === 'default' ? '' : `-${profile}`}.service`;
}

/** Where systemd looks for units of this user. */
export function unitDirectory(env: Env): string {
  return join(xdgBase(env, 'XDG_CONFIG_HOME', '.config'), 'systemd', 'user');
}

export function stateDirectory({ env, profile }: DefaultContext): string {
  return join(xdgBase(env, 'XDG_STATE_HOME', '.local/state'), 'dsa-slurm', profile);
}

/** The same order as Python's, so that a worker beside the old one finds the same directory. */
export function temporaryDirectory({ env }: DefaultContext): string {
  return resolve(env['TMPDIR'] || env['TEMP'] || env['TMP'] || '/tmp');
}

/** The XDG specification wants relative paths in these names ignored. */
function xdgBase(env: Env, name: string, fallback: string): string {
  const base = env[name];
  if (base !== undefined && isAbsolute(base)) return base;
  return join(env['HOME'] || homedir(), fallback);
}
