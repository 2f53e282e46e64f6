import { basename, dirname, join } from 'node:path';

import { describeFailure, type CommandResult, type RunCommand } from '../base/command.js';
import { DsaSlurmError, systemCode } from '../base/errors.js';
import { readdir, rename, rm, stat } from '../base/network-fs.js';
import { parseCliList, trimDescription, type ListedCli } from './clis.js';

export interface IngestOptions {
  run: RunCommand;
  /** The container runtime. */
  command: string;
  /** Where the commands run. */
  launcher: PullLauncher;
  /** Milliseconds that a pull may take. */
  pullMs: number;
  /** Added to the environment of a pull: the names that the runtime reads its registry's password from. */
  registryEnv: Readonly<Record<string, string | undefined>>;
}

/** Where commands run that bring images here and ask them. */
export interface PullLauncher {
  /** What a command of a run is put behind: `srun` and its options, or nothing for this host. */
  prefix(key: string): readonly string[];
  /** Ends what an earlier try of the run may have left running there. */
  cancelLeftovers(key: string): Promise<void>;
}

export interface DescribedCli extends ListedCli {
  text: string;
}

/** Brings images here, and asks them what they can do. */
export interface ImageIngest {
  /**
   * Pulls an image from its registry, beside its place and then into it: nobody ever finds half a file there, and the old
   * one stays if it cannot be pulled or does not stand its proof.
   * @param options.key of the run: tells its half file from those of others
   * @param options.onOutput told of what the runtime says while it pulls, but for the errors that end it
   * @param options.prove told where the new file is, before it takes its place; what it throws keeps the old one
   * @throws DsaSlurmError `image`
   */
  pull<T>(
    image: string,
    sif: string,
    options: {
      key: string;
      onOutput: (text: string) => void;
      prove: (fresh: string) => Promise<T>;
      signal: AbortSignal;
    },
  ): Promise<T>;
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

export function createImageIngest({
  run,
  command,
  launcher: place,
  pullMs,
  registryEnv,
}: IngestOptions): ImageIngest {
  const launch = (key: string, args: readonly string[]): [file: string, args: string[]] => {
    const [file = command, ...rest] = [...place.prefix(key), command, ...args];
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
    async pull(image, sif, { key, onOutput, prove, signal }) {
      await place.cancelLeftovers(key);
      await inDirectory(sif, removeParts(sif, key, Date.now() - 2 * pullMs));
      const fresh = join(dirname(sif), `.${basename(sif)}.${key}.${process.pid}.part`);
      try {
        // without its cache, which keeps each layer in the home of the worker's user and is never emptied
        const [file, line] = launch(key, ['pull', '--force', '--disable-cache', fresh, `docker://${image}`]);
        const output = withoutErrors(onOutput);
        const result = await run(file, line, {
          timeoutMs: pullMs,
          cwd: dirname(sif),
          env: registryEnv,
          onOutput: output.write,
          signal,
        });
        output.end();
        signal.throwIfAborted();
        if (result.kind !== 'exited' || result.exitCode !== 0) {
          throw new DsaSlurmError(
            'image',
            `Image ${image} could not be pulled: ${command} ${trouble(result)}.`,
            { next: pullAdvice(result) },
          );
        }
        const proof = await prove(fresh);
        await inDirectory(sif, rename(fresh, sif));
        return proof;
      } finally {
        if (signal.aborted) await place.cancelLeftovers(key);
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

/** The runtime's errors; without any, the end of what it said, which tells more than its beginning. */
function trouble(result: CommandResult): string {
  if (result.kind !== 'exited') return describeFailure(result);
  const said = result.stderr.trim() || result.stdout.trim();
  const errors = said.split('\n').filter((line) => isError(line));
  return `exited with ${result.exitCode}: ${(errors.length > 0 ? errors.join('\n') : said).slice(-1_000)}`;
}

/** As Apptainer marks them, in color on a terminal. */
function isError(line: string): boolean {
  return /^(\p{Cc}\[[\d;]*m)*(FATAL|ERROR)\b/u.test(line);
}

/**
 * Hands on whole lines, but for errors: the one that ends a pull is in what is thrown, and would be there twice.
 */
function withoutErrors(onOutput: (text: string) => void): { write: (text: string) => void; end: () => void } {
  let rest = '';
  const pass = (text: string): void => {
    if (text !== '' && !isError(text)) onOutput(text);
  };
  return {
    write(text) {
      const lines = (rest + text).split(/(?<=\n)/);
      rest = lines.at(-1)?.endsWith('\n') === true ? '' : (lines.pop() ?? '');
      lines.forEach(pass);
    },
    end: () => pass(rest),
  };
}

/** What to do about a pull that failed, by the words of the libraries that Apptainer pulls with. */
function pullAdvice(result: CommandResult): string {
  const said = result.kind === 'exited' ? result.stderr : '';
  if (/server gave HTTP response to HTTPS client/.test(said)) {
    return 'The registry speaks HTTP: set APPTAINER_NOHTTPS=1 in the environment, or "insecure = true" for it in /etc/containers/registries.conf.';
  }
  if (/unauthorized|authentication required|denied/i.test(said)) {
    return 'Give user and password in the environment: APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD.';
  }
  if (/manifest unknown|not found|name unknown/i.test(said)) return 'Check name and tag of the image.';
  if (/no space left|disk quota exceeded/i.test(said)) {
    return 'Make room there, or name another directory for building in APPTAINER_TMPDIR.';
  }
  return 'Check that this machine reaches the registry; pulling works in a job of Slurm, too (apptainer.pullOn).';
}
