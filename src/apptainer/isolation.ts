/**
 * What keeps a container apart from its host, by parts that an operator can turn off for images that cannot live with
 * one:
 *
 * - `files`: home, working directory, /tmp and the site's own mounts of the host stay out (`--contain`)
 * - `environment`: variables of the job stay out (`--cleanenv`)
 * - `processes`: processes and IPC objects of the host are not seen (`--pid --ipc`)
 * - `variables`: no shell evaluates values of environment variables (`--no-eval`)
 * - `umask`: 0022, as in Docker, and not that of the worker (`--no-umask`)
 * - `layer`: the program may write beside itself; what it writes there is removed with the job
 */
export const isolationParts = ['files', 'environment', 'processes', 'variables', 'umask', 'layer'] as const;

export type IsolationPart = (typeof isolationParts)[number];

/**
 * The oldest releases that have every option that is used here. `--no-eval` is the youngest of them; for Apptainer
 * without setuid root, 1.1 is also the first that can make an image writable (changelogs of both projects).
 */
export const oldestReleases = { apptainer: [1, 1], singularity: [3, 10] } as const;

/** Whether a release knows the options of {@link isolationOptions}. @param version such as `1.3.4-1.el9` */
export function isOldRelease({
  name,
  version,
}: {
  name: 'apptainer' | 'singularity';
  version: string;
}): boolean {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const [oldMajor, oldMinor] = oldestReleases[name];
  return Number(major) < oldMajor || (Number(major) === oldMajor && Number(minor) < oldMinor);
}

/** The file of a SIF that sets `ENV` of an OCI image, as a shell script that breaks on backquotes, `$` and quotes. */
const imageEnvironmentFile = '/.singularity.d/env/10-docker2singularity.sh';

export interface IsolationRequest {
  /** The parts that are turned off. */
  off: ReadonlySet<IsolationPart>;
  /** `HOME` in the container; null leaves it to the runtime, which takes that of the user. */
  home: string | null;
  /** The image's own `ENV` is handed in as variables (see `containerEnvironment`), so its script must not run. */
  replacesEnvironment: boolean;
  /**
   * Where /tmp and what the program writes beside itself go. `script`: the batch script makes room on the node's disk
   * and adds the options for it. Else an empty directory for /tmp, or null for none: then all of it is in memory, of
   * which Apptainer gives 64 MiB.
   */
  space: 'script' | { directory: string } | null;
}

/** Options of `apptainer exec`. Measured with Apptainer 1.4.5. */
export function isolationOptions({ off, home, replacesEnvironment, space }: IsolationRequest): string[] {
  const has = (part: IsolationPart): boolean => !off.has(part);
  const directory = typeof space === 'object' ? space?.directory : undefined;
  return [
    // without a mount over it, what the image has in its own home stays visible; a layer lets it be written to
    ...(has('files')
      ? ['--contain', '--no-mount', home !== null && has('layer') ? 'home,cwd,hostfs' : 'cwd,hostfs']
      : []),
    ...(has('files') && home !== null ? ['--home', home] : []),
    ...(has('files') && directory !== undefined ? ['--workdir', directory] : []),
    ...(has('environment') ? ['--cleanenv'] : []),
    ...(has('processes') ? ['--pid', '--ipc'] : []),
    ...(has('variables') ? ['--no-eval'] : []),
    ...(has('umask') ? ['--no-umask'] : []),
    ...(has('layer') && space !== 'script' ? ['--writable-tmpfs'] : []),
    ...(replacesEnvironment && has('variables') ? ['--bind', `/dev/null:${imageEnvironmentFile}`] : []),
  ];
}
