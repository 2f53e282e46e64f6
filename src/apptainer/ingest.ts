import { basename, dirname, join } from 'node:path';

import { describeFailure, type CommandResult, type RunCommand } from '../base/command.js';
import { DsaSlurmError, systemCode } from '../base/errors.js';
import { readdir, rename, rm, stat } from '../base/files/network-fs.js';
import { parseCliList, trimDescription, type ListedCli } from './clis.js';

interface IngestOptions {
  run: RunCommand;
  /** The container runtime. */
  command: string;
  /** Runs the commands on this host or in a Slurm job. */
  launcher: PullLauncher;
  /** Timeout of a pull, in milliseconds. */
  pullMs: number;
  /** Added to the environment of a pull: the variables from which the runtime reads the registry's password. */
  registryEnv: Readonly<Record<string, string | undefined>>;
}

/** Where the commands that pull and query images run. */
export interface PullLauncher {
  /** Arguments before a command of a run: `srun` and its options, or none on this host. */
  prefix(key: string): readonly string[];
  /** Cancels commands that an earlier attempt of the run may have left running. */
  cancelLeftovers(key: string): Promise<void>;
}

export interface DescribedCli extends ListedCli {
  text: string;
}

/** Pulls images and queries their CLIs. */
export interface ImageIngest {
  /**
   * Pulls an image from its registry into a temporary file and renames it to `sif`, so that `sif` is never incomplete. An
   * existing file is kept if the pull or `verify` fails.
   * @param options.key of the run; part of the name of the temporary file
   * @param options.onOutput called with the output of the runtime, except for error lines, which are in the thrown error
   * @param options.verify called with the path of the temporary file before the rename; rejects to keep the old file
   * @throws DsaSlurmError `image`
   */
  pull<T>(
    image: string,
    sif: string,
    options: {
      key: string;
      onOutput: (text: string) => void;
      verify: (newFile: string) => Promise<T>;
      signal: AbortSignal;
    },
  ): Promise<T>;
  /**
   * The CLIs of an image with their descriptions.
   * @param exec returns the arguments of `apptainer exec` for the given arguments of the image
   * @param options.env see `containerEnvironment`
   * @throws DsaSlurmError `image`
   */
  clis(
    image: string,
    exec: (args: readonly string[]) => readonly string[],
    options: { key: string; env: Readonly<Record<string, string>>; signal: AbortSignal },
  ): Promise<DescribedCli[]>;
}

/** Timeout for `--list_cli` and descriptions, in milliseconds. */
const queryTimeoutMs = 5 * 60_000;
/** Maximum size of their output, in bytes. */
const maxOutputBytes = 8 * 1024 * 1024;

export function createImageIngest({
  run,
  command,
  launcher,
  pullMs,
  registryEnv,
}: IngestOptions): ImageIngest {
  const launch = (key: string, args: readonly string[]): [file: string, args: string[]] => {
    const [file = command, ...rest] = [...launcher.prefix(key), command, ...args];
    return [file, rest];
  };

  async function query(
    image: string,
    exec: (args: readonly string[]) => readonly string[],
    args: readonly string[],
    { key, env, signal }: Parameters<ImageIngest['clis']>[2],
  ): Promise<string> {
    const [file, line] = launch(key, ['exec', ...exec(args)]);
    const result = await run(file, line, {
      timeoutMs: queryTimeoutMs,
      maxBytes: maxOutputBytes,
      env,
      signal,
    });
    signal.throwIfAborted();
    if (result.kind === 'exited' && result.exitCode === 0) return result.stdout;
    throw new DsaSlurmError(
      'image',
      `Image ${image} failed to run ${args.join(' ')}: it ${failureReason(result)}.`,
    );
  }

  return {
    async pull(image, sif, { key, onOutput, verify, signal }) {
      await launcher.cancelLeftovers(key);
      await inImageDirectory(sif, removeTemporaryFiles(sif, key, Date.now() - 2 * pullMs));
      const newFile = join(dirname(sif), `.${basename(sif)}.${key}.${process.pid}.part`);
      try {
        // without the cache, which stores each layer in the home directory of the worker's user and is never emptied
        const [file, line] = launch(key, [
          'pull',
          '--force',
          '--disable-cache',
          newFile,
          `docker://${image}`,
        ]);
        const output = skipErrorLines(onOutput);
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
            `Image ${image} could not be pulled: ${command} ${failureReason(result)}.`,
            { next: pullAdvice(result) },
          );
        }
        const verified = await verify(newFile);
        await inImageDirectory(sif, rename(newFile, sif));
        return verified;
      } finally {
        if (signal.aborted) await launcher.cancelLeftovers(key);
        await rm(newFile, { force: true }).catch(() => undefined);
      }
    },
    async clis(image, exec, options) {
      const listed = parseCliList(image, await query(image, exec, ['--list_cli'], options));
      const described: DescribedCli[] = [];
      for (const cli of listed) {
        const text = await query(image, exec, [cli.name, `--${cli.type}`], options);
        described.push({ ...cli, text: trimDescription(cli, image, text) });
      }
      return described;
    },
  };
}

/** Translates errors of the image directory. */
async function inImageDirectory<T>(sif: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new DsaSlurmError(
      'image',
      `Images cannot be written to ${dirname(sif)} (${systemCode(cause) ?? 'unknown'}).`,
      {
        next: "Give the worker's user write permission (setting dirs.images), and check the free disk space.",
        cause,
      },
    );
  }
}

/**
 * Removes temporary files that crashed workers left: those of the same run (a process that still writes to one keeps an
 * unlinked file), and those of other runs that are too old to be in use.
 * @param before files modified earlier are too old, in milliseconds since the epoch
 */
async function removeTemporaryFiles(sif: string, key: string, before: number): Promise<void> {
  const directory = dirname(sif);
  const prefix = `.${basename(sif)}.${key}.`;
  for (const { name } of await readdir(directory)) {
    if (!/^\..+\.sif\..+\.\d+\.part$/.test(name)) continue;
    const path = join(directory, name);
    const isOld = async () => ((await stat(path).catch(() => null))?.mtimeMs ?? Infinity) < before;
    if (name.startsWith(prefix) || (await isOld())) await rm(path, { force: true });
  }
}

/** Why a command failed, with the runtime's error lines or, if there are none, the end of its output. */
function failureReason(result: CommandResult): string {
  if (result.kind !== 'exited') return describeFailure(result);
  const output = result.stderr.trim() || result.stdout.trim();
  const errors = output.split('\n').filter((line) => isError(line));
  return `exited with ${result.exitCode}: ${(errors.length > 0 ? errors.join('\n') : output).slice(-1_000)}`;
}

/** Apptainer marks error lines, in color on a terminal. */
function isError(line: string): boolean {
  return /^(\p{Cc}\[[\d;]*m)*(FATAL|ERROR)\b/u.test(line);
}

/** Passes complete lines on, except for errors: the error that ends a pull is in the thrown error already. */
function skipErrorLines(onOutput: (text: string) => void): {
  write: (text: string) => void;
  end: () => void;
} {
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

/** What to do about a failed pull, by the error messages of the libraries that Apptainer uses. */
function pullAdvice(result: CommandResult): string {
  const output = result.kind === 'exited' ? result.stderr : '';
  if (/server gave HTTP response to HTTPS client/.test(output)) {
    return 'The registry uses HTTP: set APPTAINER_NOHTTPS=1 in the environment, or "insecure = true" for it in /etc/containers/registries.conf.';
  }
  if (/unauthorized|authentication required|denied/i.test(output)) {
    return 'Set user and password in the environment: APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD.';
  }
  if (/manifest unknown|not found|name unknown/i.test(output)) return 'Check the name and tag of the image.';
  if (/no space left|disk quota exceeded/i.test(output)) {
    return 'Free disk space, or set APPTAINER_TMPDIR to another directory for building.';
  }
  return 'Check that this machine can reach the registry; images can also be pulled in a Slurm job (apptainer.pullOn).';
}
