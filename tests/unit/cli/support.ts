import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';

export interface CliRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line in this process, with a temporary home. */
export async function runCli(
  argv: readonly string[],
  { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {},
): Promise<CliRun> {
  const stdout = sink();
  const stderr = sink();
  const code = await runProgram(argv, {
    env,
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    version: '9.8.7',
    exitCode: 0,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

export function temporaryHome(): { home: string; env: Record<string, string>; profile: string } {
  const home = mkdtempSync(join(tmpdir(), 'dsa-slurm-home-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return { home, env: { HOME: home }, profile: join(home, '.config/dsa-slurm/default.json') };
}

function sink(): { stream: Writable; text: () => string } {
  let written = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  return { stream, text: () => written };
}
