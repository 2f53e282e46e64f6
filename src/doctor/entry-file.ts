import { basename, posix } from 'node:path';
import { execArguments } from '../apptainer/exec-args.js';
import type { ImageFacts } from '../apptainer/inspect.js';
import { commandTrouble, type RunCommand } from '../base/command.js';
import type { Settings } from '../config/index.js';
import type { Finding } from './check.js';
import { fail, ok, quoted } from './finding.js';

/** The file with which an image's command begins, as an absolute path in the image. */
export interface EntryFile {
  file: string;
  /** What is asked of it: a program is executed, the script of an interpreter is read. */
  use: 'execute' | 'read';
}

export type EntryFileSeen = EntryFile & ({ there: boolean } | { there: null; why: string });

const interpreters = /^((ba|da|z)?sh|python[\d.]*|node|perl|Rscript)$/;

/**
 * Which file an entry point stands or falls with; null where the image's PATH decides, and for an image without an
 * entry point or a working directory. Pure.
 */
export function entryFileOf(
  { entrypoint, workingDirectory }: Pick<ImageFacts, 'entrypoint' | 'workingDirectory'>,
  settings: Pick<Settings['apptainer'], 'entrypoint' | 'workingDirectory'>,
): EntryFile | null {
  const words = entrypoint ?? (settings.entrypoint === null ? [] : [settings.entrypoint]);
  const directory = workingDirectory ?? settings.workingDirectory;
  const [program = '', script = ''] = words;
  if (directory === null) return null;
  if (interpreters.test(basename(program)) && script !== '' && !script.startsWith('-')) {
    return { file: posix.resolve('/', directory, script), use: 'read' };
  }
  return program.includes('/') ? { file: posix.resolve('/', directory, program), use: 'execute' } : null;
}

/**
 * Looks into the image as a job does, with the operator's own options, because a mount can hide what the image holds.
 * `test` is in all but the smallest images; where it is not, as where no container starts here, nothing is known.
 */
export async function lookForEntryFile({
  path,
  facts,
  settings,
  run,
}: {
  path: string;
  facts: ImageFacts;
  settings: Settings['apptainer'];
  run: RunCommand;
}): Promise<EntryFileSeen | null> {
  const entry = entryFileOf(facts, settings);
  if (entry === null) return null;
  const args = execArguments({
    sif: path,
    // not the working directory: if that is not there, the file is not there either, and this is how to hear it
    workingDirectory: '/',
    binds: [],
    gpu: false,
    options: settings.options,
  });
  const flag = entry.use === 'execute' ? '-x' : '-r';
  const result = await run(settings.command, ['exec', ...args, 'test', flag, entry.file]);
  if (result.kind === 'exited' && result.exitCode === 0) return { ...entry, there: true };
  // `test` says no with 1 and without a word; the runtime explains itself, and ends with 255
  if (result.kind === 'exited' && result.exitCode === 1 && !/FATAL/.test(result.stderr)) {
    return { ...entry, there: false };
  }
  return { ...entry, there: null, why: commandTrouble(result).replaceAll('\n', ' ').slice(0, 300) };
}

/** Pure. */
export function judgeEntryFile(
  name: string,
  path: string,
  seen: EntryFileSeen,
  { apptainer }: Pick<Settings, 'apptainer'>,
): Finding {
  const { file, use } = seen;
  if (seen.there === null) {
    return ok(`${name}: entry point ${file} not looked at: ${apptainer.command} exec ${seen.why}`);
  }
  if (seen.there) return ok(`${name}: entry point ${file} is there`);
  return fail(
    `${name}: the entry point ${file} is not there, or cannot be ${use === 'execute' ? 'executed' : 'read'}.`,
    `${apptainer.command} exec ${quoted(path)} ls -l ${quoted(posix.dirname(file))}   # pull or build the image again`,
  );
}
