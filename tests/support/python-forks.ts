import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { CommandResult, RunCommand } from '../../src/base/command.js';
import { systemPython } from '../../src/sandbox/services/packages.js';

interface Answer {
  id: number;
  exitCode: number;
  stdout: string;
  stderr: string;
}

interface Server {
  process: ChildProcessByStdio<Writable, Readable, null>;
  waiting: Map<number, (answer: Answer) => void>;
}

/** One for each test process, from its first Python program on. It ends with the test process, which closes its input. */
let server: Server | undefined;
let count = 0;

function startServer(): Server {
  const script = fileURLToPath(new URL('python_forks.py', import.meta.url));
  const child = spawn(systemPython, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<number, (answer: Answer) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  child.on('exit', (code) => {
    const stderr = `the process that Python programs are forked from ended with ${code}`;
    for (const [id, resolve] of waiting) resolve({ id, exitCode: 1, stdout: '', stderr });
    server = undefined;
  });
  // the test process does not wait for it
  child.unref();
  for (const stream of [child.stdin, child.stdout]) (stream as unknown as Socket).unref();
  return { process: child, waiting };
}

/**
 * Runs a Python program, `[script]` or `['-c', code]`, in a fork of a process that has imported Celery already, which saves
 * most of a second each time.
 */
export async function runPython(args: readonly string[], input = ''): Promise<CommandResult> {
  const started = performance.now();
  const id = (count += 1);
  const current = (server ??= startServer());
  const [first = '', code] = args;
  const request = { id, input, ...(first === '-c' ? { code } : { script: first }) };
  const answer = await new Promise<Answer>((resolve) => {
    current.waiting.set(id, resolve);
    current.process.stdin.write(`${JSON.stringify(request)}\n`);
  });
  const { exitCode, stdout, stderr } = answer;
  return { kind: 'exited', exitCode, stdout, stderr, ms: performance.now() - started };
}

/** Like `run`, but Python programs are forked. */
export function withForkedPython(run: RunCommand): RunCommand {
  return async (file, args, options) =>
    file === systemPython ? runPython(args, options?.input) : run(file, args, options);
}
