import { basename, isAbsolute } from 'node:path';
import { DsaSlurmError } from '../base/errors.js';
import { isolationOptions, type IsolationRequest } from './isolation.js';

export interface ContainerBind {
  host: string;
  container: string;
  mode: 'ro' | 'rw';
}

export interface ExecRequest {
  /** Absolute path of the image file. */
  sif: string;
  workingDirectory: string;
  binds: readonly ContainerBind[];
  gpu: boolean;
  isolation: IsolationRequest;
  /** The operator's own options of `apptainer exec`. */
  options: readonly string[];
}

/**
 * What follows `apptainer exec` up to the image file and with it; after it comes the command (see `imageEntry`).
 * @throws DsaSlurmError `image` for a path that is not absolute or holds control characters
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
 * `--bind host:container:mode` where that is unambiguous. Commas, colons, quotes, backslashes and blanks in a path need
 * `--mount` (Singularity 3.8, Apptainer 1.0), whose value is one CSV record with whole fields in quotes.
 */
function bindArguments({ host, container, mode }: ContainerBind): string[] {
  const paths = [containerPath(host), containerPath(container)];
  if (paths.every((path) => /^[^\s,:"'\\]*$/.test(path))) return ['--bind', `${host}:${container}:${mode}`];
  const fields = ['type=bind', csvField(`source=${host}`), csvField(`destination=${container}`)];
  // `rw` is the default, and no field that the runtime knows
  return ['--mount', [...fields, ...(mode === 'ro' ? ['ro'] : [])].join(',')];
}

function csvField(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function containerPath(path: string): string {
  if (isAbsolute(path) && !/\p{Cc}/u.test(path)) return path;
  const shown = path.replaceAll(/\p{C}/gu, '?').slice(0, 200);
  throw new DsaSlurmError('image', `The container cannot be given the path "${shown}".`, {
    next: 'Paths have to be absolute and free of control characters.',
  });
}

/**
 * A container's environment as variables that the runtime hands into it: `APPTAINERENV_NAME`, for Singularity
 * `SINGULARITYENV_NAME`. Not on the command line, where everyone could read it. Names that no shell takes are left out,
 * and so is `HOME`, which the runtime sets itself and warns of.
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

/** By whose names a command takes its environment. */
export function runtimeOf(command: string): 'apptainer' | 'singularity' {
  return basename(command).startsWith('singularity') ? 'singularity' : 'apptainer';
}

/** The runtime's remarks about itself are nothing for the owner's log; warnings and errors still are. */
export function quietEnvironment(runtime: 'apptainer' | 'singularity'): Record<string, string> {
  return { [runtime === 'apptainer' ? 'APPTAINER_QUIET' : 'SINGULARITY_QUIET']: '1' };
}

function isName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]{0,200}$/.test(text);
}
