/**
 * The parts of a container's isolation from its host. An operator can turn each off for images that do not work with it.
 *
 * - `files`: no access to the host's home, working directory, /tmp and the site's own mounts (`--contain`)
 * - `environment`: no variables of the job (`--cleanenv`)
 * - `processes`: no access to processes and IPC objects of the host (`--pid --ipc`)
 * - `variables`: no shell evaluates the values of environment variables (`--no-eval`)
 * - `umask`: 0022, as in Docker, instead of the worker's (`--no-umask`)
 * - `layer`: the program can write anywhere in the image; the changes are discarded with the job
 */
export const isolationParts = ['files', 'environment', 'processes', 'variables', 'umask', 'layer'] as const;

export type IsolationPart = (typeof isolationParts)[number];

/**
 * The oldest releases with all options used here. The newest option is `--no-eval`; Apptainer 1.1 is also the first release
 * that can make an image writable without setuid root (changelogs of both projects).
 */
export const minimumReleases = { apptainer: [1, 1], singularity: [3, 10] } as const;

/**
 * Whether a release lacks options of {@link isolationOptions}.
 * @param version such as `1.3.4-1.el9`
 */
export function isTooOld({ name, version }: { name: 'apptainer' | 'singularity'; version: string }): boolean {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const [oldMajor, oldMinor] = minimumReleases[name];
  return Number(major) < oldMajor || (Number(major) === oldMajor && Number(minor) < oldMinor);
}

/** The shell script in a SIF that sets `ENV` of an OCI image; it fails on backquotes, `$` and quotes in values. */
const imageEnvironmentFile = '/.singularity.d/env/10-docker2singularity.sh';

export interface IsolationRequest {
  /** The parts that are turned off. */
  off: ReadonlySet<IsolationPart>;
  /** `HOME` in the container; null: that of the user, the runtime's default. */
  home: string | null;
  /** Whether the image's `ENV` is passed as variables (see `containerEnvironment`), so that its script must not run. */
  replacesEnvironment: boolean;
  /**
   * Storage for /tmp and for writes into the image. `script`: the batch script creates a directory on the node's disk and adds
   * the options for it. Otherwise an empty directory for /tmp; null: everything is in memory, which Apptainer limits to 64 MiB.
   */
  space: 'script' | { directory: string } | null;
}

/** Options of `apptainer exec`; tested with Apptainer 1.4.5. */
export function isolationOptions({ off, home, replacesEnvironment, space }: IsolationRequest): string[] {
  const isOn = (part: IsolationPart): boolean => !off.has(part);
  const directory = typeof space === 'object' ? space?.directory : undefined;
  return [
    // without a mount, the image's own home directory stays visible; the layer makes it writable
    ...(isOn('files')
      ? ['--contain', '--no-mount', home !== null && isOn('layer') ? 'home,cwd,hostfs' : 'cwd,hostfs']
      : []),
    ...(isOn('files') && home !== null ? ['--home', home] : []),
    ...(isOn('files') && directory !== undefined ? ['--workdir', directory] : []),
    ...(isOn('environment') ? ['--cleanenv'] : []),
    ...(isOn('processes') ? ['--pid', '--ipc'] : []),
    ...(isOn('variables') ? ['--no-eval'] : []),
    ...(isOn('umask') ? ['--no-umask'] : []),
    ...(isOn('layer') && space !== 'script' ? ['--writable-tmpfs'] : []),
    ...(replacesEnvironment && isOn('variables') ? ['--bind', `/dev/null:${imageEnvironmentFile}`] : []),
  ];
}
