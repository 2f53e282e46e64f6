import { basename, dirname, join } from 'node:path';

import { commandTrouble, type CommandResult, type RunCommand } from '../base/command.js';
import { DsaSlurmError, systemCode } from '../base/errors.js';
import { readdir, rename, rm, stat } from '../base/shared-files.js';
import { parseCliList, trimDescription, type ListedCli } from './clis.js';

export interface IngestOptions {
  run: RunCommand;
  /** The container runtime. */
  command: string;
  /** Where the commands run. */
  place: IngestPlace;
  /** Milliseconds that a pull may take. */
  pullMs: number;
  /** Added to the environment of a pull: the names that the runtime reads its registry's password from. */
  registryEnv: Readonly<Record<string, string | undefined>>;
}

/** Where commands run that bring images here and ask them. */
export interface IngestPlace {
  /** What a command of a run is put behind: `srun` and its options, or nothing for this host. */
  launcher(key: string): readonly string[];
  /** Ends what an earlier try of the run may have left running there. */
  sweep(key: string): Promise<void>;
}

export interface DescribedCli extends ListedCli {
  text: string;
}

/** Brings images here, and asks them what they can do. */
export interface ImageIngest {
  /**
   * Pulls an image from its registry, beside its place and then into it: nobody ever finds half a file there, and the old
   * one stays if it cannot be pulled.
   * @param options.key of the run: tells its half file from those of others
   * @param options.onOutput told of what the runtime says, while it pulls
   * @throws DsaSlurmError `image`
   */
  pull(
    image: string,
    sif: string,
    options: { key: string; onOutput: (text: string) => void; signal: AbortSignal },
  ): Promise<void>;
  /**
   * The CLIs of an image with their descriptions.
   * @param exec makes of an image's arguments what follows `apptainer exec`
   * @param options.env see `containerEnvironment`
   * @throws DsaSlurmError `image`
   */
  clis(
    image: string,
    exec: (args: readonly string[]) => readonly string[],
    options: { key: string; env: Readonly<Record<string, string>>; signal: AbortSignal },
  ): Promise<DescribedCli[]>;
}

/** An image answers about itself within this time, in milliseconds … */
const answerMs = 5 * 60_000;
/** … and with no more than so many bytes. */
const largestAnswer = 8 * 1024 * 1024;

export function createImageIngest({ run, command, place, pullMs, registryEnv }: IngestOptions): ImageIngest {
  const launch = (key: string, args: readonly string[]): [file: string, args: string[]] => {
    const [file = command, ...rest] = [...place.launcher(key), command, ...args];
    return [file, rest];
  };

  async function ask(
    image: string,
    exec: (args: readonly string[]) => readonly string[],
    args: readonly string[],
    { key, env, signal }: Parameters<ImageIngest['clis']>[2],
  ): Promise<string> {
    const [file, line] = launch(key, ['exec', ...exec(args)]);
    const result = await run(file, line, { timeoutMs: answerMs, maxBytes: largestAnswer, env, signal });
    signal.throwIfAborted();
    if (result.kind === 'exited' && result.exitCode === 0) return result.stdout;
    throw new DsaSlurmError(
      'image',
      `Image ${image} does not answer ${args.join(' ')}: it ${trouble(result)}.`,
    );
  }

  return {
    async pull(image, sif, { key, onOutput, signal }) {
      await place.sweep(key);
      await inDirectory(sif, removeParts(sif, key, Date.now() - 2 * pullMs));
      const fresh = join(dirname(sif), `.${basename(sif)}.${key}.${process.pid}.part`);
      try {
        const [file, line] = launch(key, ['pull', '--force', fresh, `docker://${image}`]);
        const result = await run(file, line, {
          timeoutMs: pullMs,
          cwd: dirname(sif),
          env: registryEnv,
          onOutput,
          signal,
        });
        signal.throwIfAborted();
        if (result.kind !== 'exited' || result.exitCode !== 0) {
          throw new DsaSlurmError(
            'image',
            `Image ${image} could not be pulled: ${command} ${trouble(result)}.`,
          );
        }
        await inDirectory(sif, rename(fresh, sif));
      } finally {
        if (signal.aborted) await place.sweep(key);
        await rm(fresh, { force: true }).catch(() => undefined);
      }
    },
    async clis(image, exec, options) {
      const listed = parseCliList(image, await ask(image, exec, ['--list_cli'], options));
      const described: DescribedCli[] = [];
      for (const cli of listed) {
        const text = await ask(image, exec, [cli.name, `--${cli.type}`], options);
        described.push({ ...cli, text: trimDescription(cli, image, text) });
      }
      return described;
    },
  };
}

/** Trouble with the directory of images, in words. */
async function inDirectory<T>(sif: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new DsaSlurmError(
      'image',
      `No image can be put into ${dirname(sif)} (${systemCode(cause) ?? 'unknown'}).`,
      {
        next: 'Let the user of the worker write there (setting dirs.images), and see whether there is room.',
        cause,
      },
    );
  }
}

/**
 * What workers that died left: of the same run, where whatever may still write there writes into a file without a name;
 * and of any other run what is older than a pull can be.
 * @param before milliseconds since the epoch
 */
async function removeParts(sif: string, key: string, before: number): Promise<void> {
  const directory = dirname(sif);
  const front = `.${basename(sif)}.${key}.`;
  for (const { name } of await readdir(directory)) {
    if (!/^\..+\.sif\..+\.\d+\.part$/.test(name)) continue;
    const path = join(directory, name);
    const isOld = async () => ((await stat(path).catch(() => null))?.mtimeMs ?? Infinity) < before;
    if (name.startsWith(front) || (await isOld())) await rm(path, { force: true });
  }
}

/** The end of what was said tells more than its beginning. */
function trouble(result: CommandResult): string {
  if (result.kind !== 'exited') return commandTrouble(result);
  return `exited with ${result.exitCode}: ${(result.stderr.trim() || result.stdout.trim()).slice(-1_000)}`;
}
