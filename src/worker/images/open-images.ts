import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { sifFileName } from '../../apptainer/image-name.js';
import { createImageIngest } from '../../apptainer/ingest.js';
import { createApptainer, type ImageFacts } from '../../apptainer/inspect.js';
import { createRunner } from '../../base/command.js';
import type { Clock } from '../../base/clock.js';
import { DsaSlurmError, errorLine, systemCode } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { rm, stat } from '../../base/files/network-fs.js';
import type { Settings } from '../../config/schema.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import { requireDirectory } from '../job-request/find-image.js';
import { createPullLauncher, registryEnvironment } from '../job-request/pull-launcher.js';
import { viewJournal } from '../runs/view-journal.js';
import { fetchImage } from './fetch-image.js';
import { isImageFile, listImages, type ImageFile } from './list-images.js';
import { registerWithKey } from './register.js';

/** An image, and how many unfinished runs need it. */
export type ListedImage = ImageFile & { runs: number };

/** The result of a pull. */
export interface PulledImage {
  image: string;
  file: string;
  bytes: number;
  /** Names of its CLIs; null if they were not queried. */
  clis: string[] | null;
  /** Whether it is registered in Girder; null if that was not attempted. */
  registered: boolean | null;
}

export interface PullOptions {
  /** Query the CLIs of the image before it replaces an old file. */
  check: boolean;
  /** Register it in Girder. */
  register: boolean;
  /** Called with the output of the pull. */
  onOutput: (text: string) => void;
  signal: AbortSignal;
}

/** The `images` commands. An image is named as in Girder (`example/small:v1`) or by its file. */
export interface Images {
  directory: string;
  list(): Promise<ListedImage[]>;
  /** @throws DsaSlurmError `unknown` if the image does not exist; `image` if it cannot be read */
  inspect(name: string): Promise<{ file: string; path: string; bytes: number; facts: ImageFacts }>;
  /**
   * Pulls an image to the file name that slicer_cli_web and the worker expect.
   * @throws DsaSlurmError `image`, and `girder` if only the registration failed
   */
  pull(image: string, options: PullOptions): Promise<PulledImage>;
  /**
   * Queries the CLIs of an image and their descriptions, in containers.
   * @throws DsaSlurmError `unknown`, `image`
   */
  check(name: string, signal: AbortSignal): Promise<{ file: string; clis: string[] }>;
  /**
   * Returns the files to pass to `remove`.
   * @throws DsaSlurmError `unknown`; `busy` if an unfinished run needs one
   */
  checkRemovable(names: readonly string[]): Promise<ListedImage[]>;
  remove(file: string): Promise<void>;
}

export interface ImagesOptions {
  settings: Settings;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  log: Log;
}

/** @throws DsaSlurmError `config` without `dirs.images` */
export function openImages({ settings, env, clock, log }: ImagesOptions): Images {
  const directory = requireDirectory(settings.dirs.images, 'dirs.images', 'SIF_IMAGE_PATH');
  const run = createRunner({ env: slurmEnvironment(env, settings.slurm.environment) });
  const { command, pullMinutes } = settings.apptainer;
  const apptainer = createApptainer({ run, command });
  const imageIngest = createImageIngest({
    run,
    command,
    launcher: createPullLauncher(settings, run),
    pullMs: pullMinutes * 60_000,
    registryEnv: registryEnvironment(env),
  });
  const services = { settings, apptainer, imageIngest };

  async function files(): Promise<ImageFile[]> {
    try {
      return await listImages(directory);
    } catch (cause) {
      throw new DsaSlurmError(
        'files',
        `The images in ${directory} cannot be listed (${systemCode(cause) ?? 'unknown reason'}).`,
        { next: 'Set dirs.images to the directory that holds the SIF files.', cause },
      );
    }
  }

  /** Unfinished runs, by the file of their image. */
  async function uses(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    const { runs } = await viewJournal(settings.dirs.state, clock);
    for (const { stage, image } of runs) {
      if (stage === 'finished' || image === '') continue;
      const file = fileOf(image);
      counts.set(file, (counts.get(file) ?? 0) + 1);
    }
    return counts;
  }

  async function list(): Promise<ListedImage[]> {
    const [found, counts] = await Promise.all([files(), uses()]);
    return found.map((image) => ({ ...image, runs: counts.get(image.file) ?? 0 }));
  }

  async function find(name: string): Promise<ImageFile> {
    const file = isImageFile(name) ? name : sifFileName(name);
    const found = (await files()).find((image) => image.file === file);
    if (found !== undefined) return found;
    throw new DsaSlurmError('unknown', `There is no image ${file} in ${directory}.`, {
      next: 'See: dsa-slurm images list',
    });
  }

  return {
    directory,
    list,
    async inspect(name) {
      const { file, bytes } = await find(name);
      const path = join(directory, file);
      return { file, path, bytes, facts: await apptainer.inspect(name, path) };
    },
    async pull(image, { check, register, onOutput, signal }) {
      const file = sifFileName(image);
      const sif = join(directory, file);
      const request = { image, sif, key: newKey(), onOutput, signal };
      const fetched = check
        ? await fetchImage({ ...request, pull: true }, services)
        : await imageIngest.pull(image, sif, { ...request, verify: async () => null });
      const { size } = await stat(sif);
      const clis = fetched?.clis.map(({ name }) => name) ?? null;
      const pulled = { image, file, bytes: size, clis };
      const { apiKey, apiUrl } = settings.girder;
      if (!register || fetched === null || apiKey === null || apiUrl === null) {
        return { ...pulled, registered: null };
      }
      try {
        const registration = { image, labels: fetched.facts.labels, clis: fetched.clis };
        await registerWithKey(registration, { girder: settings.girder, clock, log, signal });
      } catch (cause) {
        signal.throwIfAborted();
        const next = cause instanceof DsaSlurmError ? cause.next : undefined;
        throw new DsaSlurmError(
          'girder',
          `Image ${image} was pulled, but could not be registered in Girder: ${errorLine(cause)}`,
          { next: next ?? "Add it on Girder's page of images, which does not pull it again.", cause },
        );
      }
      return { ...pulled, registered: true };
    },
    async check(name, signal) {
      const { file } = await find(name);
      const request = { image: name, sif: join(directory, file), key: newKey(), onOutput: () => {} };
      const { clis } = await fetchImage({ ...request, pull: false, signal }, services);
      return { file, clis: clis.map((cli) => cli.name) };
    },
    async checkRemovable(names) {
      const counts = await uses();
      const found: ListedImage[] = [];
      for (const name of names) {
        const image = await find(name);
        const runs = counts.get(image.file) ?? 0;
        if (runs > 0) {
          throw new DsaSlurmError('busy', `${image.file} is needed by ${runs} unfinished runs.`, {
            next: `Wait for them, or cancel them: dsa-slurm runs cancel --image ${name}`,
          });
        }
        found.push({ ...image, runs });
      }
      return found;
    },
    async remove(file) {
      try {
        await rm(join(directory, file));
      } catch (cause) {
        throw new DsaSlurmError(
          'files',
          `${join(directory, file)} cannot be removed (${systemCode(cause) ?? 'unknown reason'}).`,
          { cause },
        );
      }
    },
  };
}

/** Identifies the partial files and jobs of one pull. */
function newKey(): string {
  return `cli-${randomBytes(6).toString('hex')}`;
}

/** The file of an image; empty for an invalid name. */
function fileOf(image: string): string {
  try {
    return sifFileName(image);
  } catch {
    return '';
  }
}
