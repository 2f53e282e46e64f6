import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { DsaSlurmError } from '../base/errors.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Context from which defaults are computed. */
export interface DefaultContext {
  env: Env;
  profile: string;
}

/** Directory of the profiles, one file each. `DSA_SLURM_CONFIG_DIR` takes precedence over `XDG_CONFIG_HOME`. */
export function configDirectory(env: Env): string {
  const own = env['DSA_SLURM_CONFIG_DIR'];
  if (own !== undefined && own !== '') return resolve(own);
  return join(xdgBase(env, 'XDG_CONFIG_HOME', '.config'), 'dsa-slurm');
}

/** Path of a profile, whether or not it exists. @throws DsaSlurmError `usage` for an invalid name */
export function profilePath(configDir: string, profile: string): string {
  // no slash and no leading dot: the file stays in the directory and is not hidden
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(profile)) {
    throw new DsaSlurmError('usage', `${JSON.stringify(profile)} is not a valid profile name.`, {
      next: 'Use up to 64 letters, digits, dots, hyphens and underscores; begin with a letter, digit or underscore.',
    });
  }
  return join(configDir, `${profile}.json`);
}

/** Name of the systemd user unit that runs the worker of a profile; `init` writes it. */
export function unitName(profile: string): string {
  return `dsa-slurm${profile === 'default' ? '' : `-${profile}`}.service`;
}

/** Directory of the user's own systemd units. */
export function unitDirectory(env: Env): string {
  return join(xdgBase(env, 'XDG_CONFIG_HOME', '.config'), 'systemd', 'user');
}

export function stateDirectory({ env, profile }: DefaultContext): string {
  return join(xdgBase(env, 'XDG_STATE_HOME', '.local/state'), 'dsa-slurm', profile);
}

/** In Python's order of precedence, so that a Python worker on this host uses the same directory. */
export function temporaryDirectory({ env }: DefaultContext): string {
  return resolve(env['TMPDIR'] || env['TEMP'] || env['TMP'] || '/tmp');
}

/** The XDG specification requires relative paths in these variables to be ignored. */
function xdgBase(env: Env, name: string, fallback: string): string {
  const base = env[name];
  if (base !== undefined && isAbsolute(base)) return base;
  return join(env['HOME'] || homedir(), fallback);
}
