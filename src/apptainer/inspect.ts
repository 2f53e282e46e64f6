import { describeFailure, type CommandResult, type RunCommand } from '../base/command.js';
import { DsaSlurmError, systemCode } from '../base/errors.js';
import { stat } from '../base/files/network-fs.js';
import { execArguments } from './exec-args.js';
import { isTooOld, minimumReleases } from './isolation.js';
import { parseLabels, parseOciConfig, parseSifList, type OciConfig } from './sif.js';
import { isTruncated, readSifLength } from './sif-header.js';

/** Metadata of an image file. */
export interface ImageFacts {
  labels: Readonly<Record<string, string>>;
  workingDirectory: string | null;
  workingDirectoryFrom: 'label' | 'oci' | null;
  /** Empty if an OCI image has none: then the arguments are the command. */
  entrypoint: readonly string[] | null;
  entrypointFrom: 'label' | 'oci' | null;
  /** Default arguments of the OCI image, used if a task gives neither entry point nor arguments. */
  cmd: readonly string[];
  needsGpu: boolean;
  /** Null for an image that was not built from an OCI image. */
  oci: OciConfig | null;
  /** Result of {@link Apptainer.probe}; null if the image was not probed or no container starts on this host. */
  inside: ProbeResult | null;
}

/** Facts that only a running container can find. */
interface ProbeResult {
  hasWorkingDirectory: boolean;
  /** Home directory of the image's user; null if the user is not in the image's /etc/passwd. */
  home: string | null;
}

export interface Apptainer {
  /** `{ name: 'apptainer', version: '1.3.4' }`; null if the command is not a container runtime. */
  version(): Promise<{ name: 'apptainer' | 'singularity'; version: string } | null>;
  /**
   * @param image name of the image, for errors
   * @throws DsaSlurmError `image` if the file is missing or cannot be read
   */
  inspect(image: string, sifPath: string): Promise<ImageFacts>;
  /**
   * Like {@link inspect}, and starts a container to look into the image. The result is cached until the file changes. If no
   * container starts on this host, `inside` is null.
   * @throws DsaSlurmError `image` as `inspect`, and for a runtime that is too old to isolate containers
   */
  probe(image: string, sifPath: string): Promise<ImageFacts>;
}

/** Cached images; the least recently used one is dropped first. */
const cacheSize = 200;

/** A container normally starts within a second, on a slow file system within several. */
const probeTimeoutMs = 30_000;

/**
 * Prints, one per line: a marker; whether the working directory ($2) exists; whether the directory $3 contains the entry
 * point of images for the Python plugin; the home directory of the user $1 (name or number).
 */
const probeScript = `echo inside
if [ -d "$2" ]; then echo yes; else echo no; fi
if [ -e "$3/docker-entrypoint.sh" ]; then echo yes; else echo no; fi
[ ! -r /etc/passwd ] || while IFS=: read -r name _ number _ _ home _; do
  if [ "$name" = "$1" ] || [ "$number" = "$1" ]; then echo "$home"; break; fi
done </etc/passwd`;

/** JSON objects of a SIF have a few kilobytes. */
const maxConfigBytes = 1024 * 1024;

/** @param command the container runtime: `apptainer`, `singularity`, or a path */
export function createApptainer({ run, command }: { run: RunCommand; command: string }): Apptainer {
  const cache = new Map<string, Promise<ImageFacts>>();
  const probed = new Map<string, ImageFacts>();
  /** Of the runs of a batch that ask at once, one starts a container. */
  const probing = new Map<string, Promise<ImageFacts | null>>();
  let isSupported = false;

  async function version(): Promise<{ name: 'apptainer' | 'singularity'; version: string } | null> {
    const result = await run(command, ['--version'], { timeoutMs: 10_000 });
    return result.kind === 'exited' && result.exitCode === 0 ? parseVersion(result.stdout) : null;
  }

  /** A missing isolation option would make every job fail, and omitting it would expose the host to images. */
  async function requireSupportedRelease(): Promise<void> {
    if (isSupported) return;
    const found = await version();
    if (found !== null && isTooOld(found)) {
      const { apptainer, singularity } = minimumReleases;
      throw new DsaSlurmError(
        'image',
        `${command} is ${found.name} ${found.version}, which cannot isolate containers from this host.`,
        {
          next: `Install Apptainer ${apptainer.join('.')} or SingularityCE ${singularity.join('.')}, or newer.`,
        },
      );
    }
    isSupported = found !== null;
  }

  async function runProbe(
    sifPath: string,
    user: string,
    directories: readonly string[],
  ): Promise<string[] | null> {
    const exec = execArguments({
      sif: sifPath,
      workingDirectory: '/',
      binds: [],
      gpu: false,
      isolation: { off: new Set(['layer']), home: null, replacesEnvironment: false, space: null },
      // the working directory may be below the image's own /tmp
      options: ['--no-mount', 'tmp'],
    });
    const args = ['exec', ...exec, '/bin/sh', '-c', probeScript, 'sh', user, ...directories];
    const result = await run(command, args, { timeoutMs: probeTimeoutMs, maxBytes: 65_536 });
    if (result.kind !== 'exited' || result.exitCode !== 0) return null;
    const [mark, ...answers] = result.stdout.trimEnd().split('\n');
    return mark === 'inside' ? answers : null;
  }

  async function probeOnce(key: string, sifPath: string, facts: ImageFacts): Promise<ImageFacts | null> {
    const running = probing.get(key) ?? probe(sifPath, facts);
    probing.set(key, running);
    try {
      return await running;
    } finally {
      probing.delete(key);
    }
  }

  async function probe(sifPath: string, facts: ImageFacts): Promise<ImageFacts | null> {
    const { oci, workingDirectory } = facts;
    const user = (oci?.user ?? '').replace(/:.*$/s, '') || '0';
    const answers = await runProbe(sifPath, user, [workingDirectory ?? '/', workingDirectory ?? '/']);
    if (answers === null) return null;
    const [hasDirectory, hasEntry, home] = answers;
    const inside = { hasWorkingDirectory: hasDirectory === 'yes', home: home ?? null };
    if (facts.entrypointFrom !== 'label' || hasEntry === 'yes' || oci === null) return { ...facts, inside };
    // the label names a directory without an entry point, so the image is run as Docker runs it
    const asDocker: ImageFacts = {
      ...facts,
      workingDirectory: oci.workingDirectory,
      workingDirectoryFrom: 'oci',
      entrypoint: oci.entrypoint,
      entrypointFrom: 'oci',
    };
    return probe(sifPath, asDocker);
  }

  async function inspect(image: string, sifPath: string, key: string): Promise<ImageFacts> {
    const known = cache.get(key);
    if (known !== undefined) {
      cache.delete(key);
      cache.set(key, known);
      return known;
    }
    const facts = read(image, sifPath);
    cache.set(key, facts);
    forgetOldest(cache);
    try {
      return await facts;
    } catch (error) {
      cache.delete(key);
      throw error;
    }
  }

  async function readLabels(sifPath: string): Promise<Record<string, string> | CommandResult> {
    const result = await run(command, ['inspect', '--json', '--labels', sifPath]);
    if (result.kind !== 'exited' || result.exitCode !== 0) return result;
    return parseLabels(result.stdout) ?? {};
  }

  async function readOciConfig(sifPath: string): Promise<OciConfig | null> {
    const list = await run(command, ['sif', 'list', sifPath]);
    if (list.kind !== 'exited' || list.exitCode !== 0) return null;
    for (const object of parseSifList(list.stdout)) {
      if (object.type !== 'JSON.Generic' || object.size > maxConfigBytes) continue;
      const dump = await run(command, ['sif', 'dump', String(object.id), sifPath], {
        maxBytes: 2 * maxConfigBytes,
      });
      const config = dump.kind === 'exited' && dump.exitCode === 0 ? parseOciConfig(dump.stdout) : null;
      if (config !== null) return config;
    }
    return null;
  }

  async function read(image: string, sifPath: string): Promise<ImageFacts> {
    await requireComplete(image, sifPath);
    const [labels, oci] = await Promise.all([readLabels(sifPath), readOciConfig(sifPath)]);
    if (!isResult(labels)) return gatherFacts(labels, oci);
    // an OCI config is enough to run an image without labels
    if (oci !== null) return gatherFacts({}, oci);
    throw new DsaSlurmError(
      'image',
      `The file of image ${image}, ${sifPath}, could not be inspected: ${command} ${describeFailure(labels)}.`,
      {
        next:
          labels.kind === 'missing'
            ? 'Install Apptainer on this machine, or set its command in the profile.'
            : `Try "${command} inspect ${sifPath}"; if the file is damaged, pull the image again.`,
      },
    );
  }

  return {
    version,
    inspect: async (image, sifPath) => inspect(image, sifPath, await fileKey(image, sifPath)),
    async probe(image, sifPath) {
      const key = await fileKey(image, sifPath);
      const facts = await inspect(image, sifPath, key);
      await requireSupportedRelease();
      const found = probed.get(key) ?? (await probeOnce(key, sifPath, facts));
      if (found === null) return facts;
      probed.set(key, found);
      forgetOldest(probed);
      return found;
    },
  };
}

/**
 * Rejects a truncated SIF: Apptainer reads its labels and OCI config without an error, and only the container fails to start.
 * @throws DsaSlurmError `image` for a truncated SIF
 */
async function requireComplete(image: string, sifPath: string): Promise<void> {
  // the runtime reports a file that cannot be opened
  const length = await readSifLength(sifPath).catch(() => null);
  if (length === null || !isTruncated(length)) return;
  throw new DsaSlurmError(
    'image',
    `The file of image ${image}, ${sifPath}, is truncated: ${length.size} of ${length.expectedSize} bytes.`,
    { next: `A pull or a copy was interrupted. Pull it again: dsa-slurm images pull ${image}` },
  );
}

function forgetOldest(cache: Map<string, unknown>): void {
  const oldest = cache.keys().next();
  if (cache.size > cacheSize && oldest.done !== true) cache.delete(oldest.value);
}

function isResult(value: Record<string, string> | CommandResult): value is CommandResult {
  return typeof (value as CommandResult).ms === 'number';
}

/** `apptainer version 1.3.4-1.el9`, `singularity-ce version 4.1.0`, `singularity version 3.8.7`. */
function parseVersion(text: string): { name: 'apptainer' | 'singularity'; version: string } | null {
  const match = /^(apptainer|singularity)\S* version (\S+)/m.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return null;
  return { name: match[1] === 'apptainer' ? 'apptainer' : 'singularity', version: match[2] };
}

/** Cache key: path, modification time and size. */
async function fileKey(image: string, sifPath: string): Promise<string> {
  try {
    const { mtimeMs, size } = await stat(sifPath);
    return JSON.stringify([sifPath, mtimeMs, size]);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      throw new DsaSlurmError('image', `Image ${image} is missing: ${sifPath} does not exist.`, {
        next: `Add the image on Girder's page of images (Girder 5, or Girder 3 with the Slurm plugin), or run "dsa-slurm images pull ${image}".`,
        cause: error,
      });
    }
    throw new DsaSlurmError(
      'image',
      `The file of image ${image}, ${sifPath}, cannot be read (${systemCode(error) ?? 'unknown reason'}).`,
      { next: "Give the worker's user read permission.", cause: error },
    );
  }
}

/**
 * Combines labels and OCI config. Images for the Python plugin have the label `entry_path`: their working directory, in which
 * `./docker-entrypoint.sh` is the entry point.
 */
function gatherFacts(labels: Readonly<Record<string, string>>, oci: OciConfig | null): ImageFacts {
  const entryPath = labels['entry_path']?.trim() ?? '';
  const fromLabel = entryPath !== '';
  const from = fromLabel ? 'label' : oci === null ? null : 'oci';
  return {
    labels,
    workingDirectory: fromLabel ? entryPath : (oci?.workingDirectory ?? null),
    workingDirectoryFrom: from,
    entrypoint: fromLabel ? ['./docker-entrypoint.sh'] : (oci?.entrypoint ?? null),
    entrypointFrom: from,
    cmd: oci?.cmd ?? [],
    needsGpu: (labels['com.nvidia.volumes.needed'] ?? '').trim() !== '',
    oci,
    inside: null,
  };
}
