import { describeFailure, type CommandResult, type RunCommand } from '../base/command.js';
import { DsaSlurmError, systemCode } from '../base/errors.js';
import { stat } from '../base/network-fs.js';
import { execArguments } from './exec-args.js';
import { isOldRelease, oldestReleases } from './isolation.js';
import { parseLabels, parseOciConfig, parseSifList, type OciConfig } from './sif.js';
import { isCutShort, readSifLength } from './sif-header.js';

/** What an image file says of itself. */
export interface ImageFacts {
  labels: Readonly<Record<string, string>>;
  workingDirectory: string | null;
  workingDirectoryFrom: 'label' | 'oci' | null;
  /** Empty where an OCI image has none: then the arguments are the command. */
  entrypoint: readonly string[] | null;
  entrypointFrom: 'label' | 'oci' | null;
  /** The OCI image's own arguments, which count where a task gives neither entry point nor arguments. */
  cmd: readonly string[];
  needsGpu: boolean;
  /** Null for an image that was not made from an OCI image. */
  oci: OciConfig | null;
  /** What a look into the image found; null where nobody has looked, or no container starts. */
  inside: ImageInside | null;
}

/** What only a container of an image can tell. */
export interface ImageInside {
  hasWorkingDirectory: boolean;
  /** Home directory of the image's own user; null if it has no entry in /etc/passwd. */
  home: string | null;
}

export interface Apptainer {
  /** `{ name: 'apptainer', version: '1.3.4' }`; null if the command does not answer like a container runtime. */
  version(): Promise<{ name: 'apptainer' | 'singularity'; version: string } | null>;
  /**
   * @param image name of the image, for errors
   * @throws DsaSlurmError `image` if the file is missing or cannot be read
   */
  inspect(image: string, sifPath: string): Promise<ImageFacts>;
  /**
   * {@link inspect} and a look into the image, by a container that is started for it, once for each state of the file.
   * Where none starts on this host, `inside` is null.
   * @throws DsaSlurmError `image` as `inspect`, and for a runtime that is too old to isolate a container
   */
  examine(image: string, sifPath: string): Promise<ImageFacts>;
}

/** Images that are remembered; the one that was asked for longest ago goes first. */
const remembered = 200;

/** A container that answers a few questions is started within a second, on a slow file system in several. */
const probeTimeoutMs = 30_000;

/**
 * Answers, line by line: that it runs; whether the working directory (2) is there; whether the directory (3) has the entry
 * point of images for the Python plugin; the home of the user (1) by name or number.
 */
const lookScript = `echo inside
if [ -d "$2" ]; then echo yes; else echo no; fi
if [ -e "$3/docker-entrypoint.sh" ]; then echo yes; else echo no; fi
[ ! -r /etc/passwd ] || while IFS=: read -r name _ number _ _ home _; do
  if [ "$name" = "$1" ] || [ "$number" = "$1" ]; then echo "$home"; break; fi
done </etc/passwd`;

/** JSON objects of a SIF are a few kilobytes. */
const largestConfig = 1024 * 1024;

/** @param command the container runtime: `apptainer`, `singularity`, or a path */
export function createApptainer({ run, command }: { run: RunCommand; command: string }): Apptainer {
  const cache = new Map<string, Promise<ImageFacts>>();
  const examined = new Map<string, ImageFacts>();
  let isRecent = false;

  async function version(): Promise<{ name: 'apptainer' | 'singularity'; version: string } | null> {
    const result = await run(command, ['--version'], { timeoutMs: 10_000 });
    return result.kind === 'exited' && result.exitCode === 0 ? parseVersion(result.stdout) : null;
  }

  /** An option that the runtime does not know would fail every job, and leaving it out would open the host to images. */
  async function refuseOldRelease(): Promise<void> {
    if (isRecent) return;
    const found = await version();
    if (found !== null && isOldRelease(found)) {
      const { apptainer, singularity } = oldestReleases;
      throw new DsaSlurmError(
        'image',
        `${command} is ${found.name} ${found.version}, which cannot isolate containers from this host.`,
        {
          next: `Install Apptainer ${apptainer.join('.')} or SingularityCE ${singularity.join('.')}, or newer.`,
        },
      );
    }
    isRecent = found !== null;
  }

  async function lookInside(
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
      // what the image has in /tmp is to be seen
      options: ['--no-mount', 'tmp'],
    });
    const ask = ['exec', ...exec, '/bin/sh', '-c', lookScript, 'sh', user, ...directories];
    const result = await run(command, ask, { timeoutMs: probeTimeoutMs, maxBytes: 65_536 });
    if (result.kind !== 'exited' || result.exitCode !== 0) return null;
    const [mark, ...answers] = result.stdout.trimEnd().split('\n');
    return mark === 'inside' ? answers : null;
  }

  async function look(sifPath: string, facts: ImageFacts): Promise<ImageFacts | null> {
    const { oci, workingDirectory } = facts;
    const user = (oci?.user ?? '').replace(/:.*$/s, '') || '0';
    const answers = await lookInside(sifPath, user, [workingDirectory ?? '/', workingDirectory ?? '/']);
    if (answers === null) return null;
    const [hasDirectory, hasEntry, home] = answers;
    const inside = { hasWorkingDirectory: hasDirectory === 'yes', home: home ?? null };
    if (facts.entrypointFrom !== 'label' || hasEntry === 'yes' || oci === null) return { ...facts, inside };
    // the label says where, and nothing is there: then the image is run as Docker runs it
    const asDocker: ImageFacts = {
      ...facts,
      workingDirectory: oci.workingDirectory,
      workingDirectoryFrom: 'oci',
      entrypoint: oci.entrypoint,
      entrypointFrom: 'oci',
    };
    return look(sifPath, asDocker);
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
      if (object.type !== 'JSON.Generic' || object.size > largestConfig) continue;
      const dump = await run(command, ['sif', 'dump', String(object.id), sifPath], {
        maxBytes: 2 * largestConfig,
      });
      const config = dump.kind === 'exited' && dump.exitCode === 0 ? parseOciConfig(dump.stdout) : null;
      if (config !== null) return config;
    }
    return null;
  }

  async function read(image: string, sifPath: string): Promise<ImageFacts> {
    await refuseIncomplete(image, sifPath);
    const [labels, oci] = await Promise.all([readLabels(sifPath), readOciConfig(sifPath)]);
    if (!isResult(labels)) return gatherFacts(labels, oci);
    // Without labels an OCI config is still enough to run; without either nothing is.
    if (oci !== null) return gatherFacts({}, oci);
    throw new DsaSlurmError(
      'image',
      `The file of image ${image}, ${sifPath}, could not be inspected: ${command} ${describeFailure(labels)}.`,
      {
        next:
          labels.kind === 'missing'
            ? 'Install Apptainer on this machine, or name its command in the profile.'
            : `Try "${command} inspect ${sifPath}"; if the file is damaged, pull the image again.`,
      },
    );
  }

  return {
    version,
    inspect: async (image, sifPath) => inspect(image, sifPath, await fileKey(image, sifPath)),
    async examine(image, sifPath) {
      const key = await fileKey(image, sifPath);
      const facts = await inspect(image, sifPath, key);
      await refuseOldRelease();
      const found = examined.get(key) ?? (await look(sifPath, facts));
      if (found === null) return facts;
      examined.set(key, found);
      forgetOldest(examined);
      return found;
    },
  };
}

/**
 * Apptainer reads labels and OCI config of a file whose end is missing, and only the container then fails to start.
 * @throws DsaSlurmError `image` for a SIF that is cut short
 */
async function refuseIncomplete(image: string, sifPath: string): Promise<void> {
  // a file that cannot be opened is reported by the runtime, in its own words
  const length = await readSifLength(sifPath).catch(() => null);
  if (length === null || !isCutShort(length)) return;
  throw new DsaSlurmError(
    'image',
    `The file of image ${image}, ${sifPath}, is cut short: ${length.size} of ${length.end} bytes are there.`,
    { next: `A pull or a copy was interrupted. Pull it again: dsa-slurm images pull ${image}` },
  );
}

function forgetOldest(cache: Map<string, unknown>): void {
  const oldest = cache.keys().next();
  if (cache.size > remembered && oldest.done !== true) cache.delete(oldest.value);
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

/** Path, time and size: an image that was pulled again is another one. */
async function fileKey(image: string, sifPath: string): Promise<string> {
  try {
    const { mtimeMs, size } = await stat(sifPath);
    return JSON.stringify([sifPath, mtimeMs, size]);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      throw new DsaSlurmError('image', `Image ${image} is not here: there is no ${sifPath}.`, {
        next: `Add the image on Girder's page of images (Girder 5, or Girder 3 with the Slurm plugin), or run "dsa-slurm images pull ${image}".`,
        cause: error,
      });
    }
    throw new DsaSlurmError(
      'image',
      `The file of image ${image}, ${sifPath}, cannot be read (${systemCode(error) ?? 'unknown reason'}).`,
      { next: 'Let the user of the worker read it.', cause: error },
    );
  }
}

/**
 * Puts label and OCI config together. Images made for the Python plugin carry the label `entry_path`: their working
 * directory, in which `./docker-entrypoint.sh` is the entry point.
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
