import { InvalidArgumentError, type Command } from 'commander';

/** The parts of the process that a command uses, passed in so that tests can replace them. */
export interface CliContext {
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
  /** Version of this package. */
  version: string;
  /** Exit code of the process, unless an error is thrown. */
  exitCode: number;
}

/** Flags of every command, accepted before and after its name. */
export interface GlobalFlags {
  profile: string;
  debug: boolean;
}

/** Appends examples (command line and purpose) to a command's help. */
export function addExamples(
  command: Command,
  examples: readonly (readonly [line: string, meaning: string])[],
): void {
  const text = examples.map(([line, meaning]) => `  # ${meaning}\n  ${line}`);
  command.addHelpText('after', `\nExamples:\n${text.join('\n')}`);
}

/** How text is printed: plain and not wrapped if it is not for a terminal. */
export interface OutputStyle {
  colour: boolean;
  /** Without it, ASCII symbols. */
  unicode: boolean;
  /** Width in cells; null: unlimited. */
  columns: number | null;
}

export function outputStyle({ env, stdout }: Pick<CliContext, 'env' | 'stdout'>): OutputStyle {
  const isTerminal = stdout.isTTY === true;
  const { columns } = stdout as Partial<NodeJS.WriteStream>;
  const wished = Number(env['COLUMNS'] ?? '');
  const known = Number.isInteger(wished) && wished > 0 ? wished : null;
  return {
    colour: isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    unicode: /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''),
    // some terminals report 0
    columns: isTerminal ? columns || known || 80 : known,
  };
}

export function printLine(stream: NodeJS.WritableStream, text: string): void {
  stream.write(`${text}\n`);
}

/** Reads a stream to its end, as UTF-8. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** Option parser for a flag that may be repeated. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** Option parser for a flag `key=value` that may be repeated. */
export function collectPair(
  pair: string,
  previous: Record<string, string> | undefined,
): Record<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError('It must look like slurm.partition=batch.');
  }
  return { ...previous, [key]: value };
}
