import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The built program, as a user starts it. */
export const dsaSlurm = fileURLToPath(new URL('../../bin/dsa-slurm', import.meta.url));

export type Environment = Readonly<Record<string, string | undefined>>;

/** A started program. */
export interface Program {
  pid: number;
  stdout(): string;
  stderr(): string;
  /** How it ended: the exit code, or the signal. Resolves when all of its output has been read. */
  ended: Promise<number | NodeJS.Signals>;
  signal(name: NodeJS.Signals): void;
}

/**
 * Starts `bin/dsa-slurm` with exactly this environment.
 * @param options.copyTo a file that standard error is appended to as well.
 * @param options.program `main.js` of another version to start instead, with the Node.js of the tests
 */
export function startProgram(
  args: readonly string[],
  {
    env,
    copyTo,
    input = '',
    program,
  }: { env: Environment; copyTo?: string; input?: string; program?: string },
): Program {
  const [file, before] = program === undefined ? [dsaSlurm, []] : [process.execPath, [program]];
  const child = spawn(file, [...before, ...args], { env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (copyTo !== undefined) appendFileSync(copyTo, text);
  });
  // a program may exit without reading all of it
  child.stdin.on('error', () => undefined).end(input);
  const ended = once(child, 'close').then(
    ([code, signal]) => (code as number | null) ?? (signal as NodeJS.Signals),
  );
  return {
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    signal: (name) => void child.kill(name),
  };
}

/** Runs `bin/dsa-slurm` to its end. */
export async function runProgram(
  args: readonly string[],
  env: Environment,
  input?: string,
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const program = startProgram(args, { env, ...(input === undefined ? {} : { input }) });
  const code = await program.ended;
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}
