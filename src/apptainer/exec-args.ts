import { basename, isAbsolute } from 'node:path';
import { DsaSlurmError } from '../base/errors.js';
import { isolationOptions, type IsolationRequest } from './isolation.js';

export interface ContainerBind {
  host: string;
  container: string;
  mode: 'ro' | 'rw';
}

interface ExecRequest {
  /** Absolute path of the image file. */
  sif: string;
  workingDirectory: string;
  binds: readonly ContainerBind[];
  gpu: boolean;
  isolation: IsolationRequest;
  /** The operator's additional options of `apptainer exec`. */
  options: readonly string[];
}

/**
 * Arguments of `apptainer exec` up to and including the image file; the command follows (see `containerEntry`).
 * @throws DsaSlurmError `image` for a path that is not absolute or contains control characters
 */
export function execArguments(request: ExecRequest): string[] {
  const { sif, workingDirectory, binds, gpu, isolation, options } = request;
  return [
    ...isolationOptions(isolation),
    '--pwd',
    containerPath(workingDirectory),
    ...binds.flatMap(bindArguments),
    ...(gpu ? ['--nv'] : []),
    ...options,
    containerPath(sif),
  ];
}

/**
 * `--bind host:container:mode` if that is unambiguous. Paths with commas, colons, quotes, backslashes or blanks need `--mount`
 * (since Singularity 3.8 and Apptainer 1.0), whose value is one CSV record.
 */
function bindArguments({ host, container, mode }: ContainerBind): string[] {
  const paths = [containerPath(host), containerPath(container)];
  if (paths.every((path) => /^[^\s,:"'\\]*$/.test(path))) return ['--bind', `${host}:${container}:${mode}`];
  const fields = ['type=bind', csvField(`source=${host}`), csvField(`destination=${container}`)];
  // `rw` is the default; the runtime has no such field
  return ['--mount', [...fields, ...(mode === 'ro' ? ['ro'] : [])].join(',')];
}

function csvField(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function containerPath(path: string): string {
  if (isAbsolute(path) && !/\p{Cc}/u.test(path)) return path;
  const shown = path.replaceAll(/\p{C}/gu, '?').slice(0, 200);
  throw new DsaSlurmError('image', `The path "${shown}" cannot be mounted or used in the container.`, {
    next: 'Paths must be absolute and must not contain control characters.',
  });
}

/**
 * The environment of a container, as variables that the runtime passes into it: `APPTAINERENV_NAME` or, for Singularity,
 * `SINGULARITYENV_NAME`. Not passed on the command line, which every user of the host can read. Omits names that are not valid
 * in a shell, and `HOME`, which the runtime sets itself.
 */
export function containerEnvironment(
  env: Readonly<Record<string, string>>,
  runtime: 'apptainer' | 'singularity',
): Record<string, string> {
  const prefix = runtime === 'apptainer' ? 'APPTAINERENV_' : 'SINGULARITYENV_';
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name, value]) => isName(name) && name !== 'HOME' && !value.includes('\0'))
      .map(([name, value]) => [`${prefix}${name}`, value]),
  );
}

/** The runtime that a command belongs to, which determines the names of its environment variables. */
export function runtimeOf(command: string): 'apptainer' | 'singularity' {
  return basename(command).startsWith('singularity') ? 'singularity' : 'apptainer';
}

/** Suppresses informational messages of the runtime in the owner's log; it still prints warnings and errors. */
export function quietEnvironment(runtime: 'apptainer' | 'singularity'): Record<string, string> {
  return { [runtime === 'apptainer' ? 'APPTAINER_QUIET' : 'SINGULARITY_QUIET']: '1' };
}

function isName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]{0,200}$/.test(text);
}
