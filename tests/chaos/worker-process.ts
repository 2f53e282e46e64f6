import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../../src/base/package-file.js';
import { importUrl, type Instructions } from './fault-injection.js';
import type { PlannedKill } from './plan.js';
import type { ChaosSite } from './site.js';

/** A worker process: the built program, as an operator starts it. */
export interface ChaosWorker {
  /** Milliseconds from the start of the process until it took tasks; null if it never did. */
  startMs: Promise<number | null>;
  running(): boolean;
  signal(name: NodeJS.Signals): void;
  /** Exit code or signal. `planned`: it died at the planned step. */
  ended: Promise<{ how: number | NodeJS.Signals; planned: boolean }>;
}

/** Files whose presence makes the disk of a worker's journal full or slow, or sets its clock back. */
export function faultFiles({ dir }: ChaosSite): Pick<Instructions, 'fullFile' | 'slowFile' | 'clockFile'> {
  return {
    fullFile: join(dir, 'disk-is-full'),
    slowFile: join(dir, 'disk-is-slow'),
    clockFile: join(dir, 'clock-is-back'),
  };
}

const program = packageFile('dist/cli/main.js');

let workers = 0;

/**
 * @param kill null: the worker is not killed at a step
 * @param standby it waits for the active worker
 */
export function startChaosWorker(
  site: ChaosSite,
  kill: PlannedKill | null,
  { standby = false }: { standby?: boolean } = {},
): ChaosWorker {
  workers += 1;
  const diedFile = join(site.dir, `died-as-planned-${workers}`);
  rmSync(diedFile, { force: true });
  const preload = kill === null ? [] : ['--import', importUrl({ kill, diedFile, ...faultFiles(site) })];
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [...preload, program, 'worker', ...(standby ? ['--standby'] : []), ...site.workerFlags],
    {
      env: { ...site.workerEnv },
      cwd: site.dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const logFile = join(site.dir, 'log', 'worker.log');
  appendFileSync(logFile, `--- ${child.pid} ${JSON.stringify(kill)}\n`);
  const isReady = Promise.withResolvers<number | null>();
  let seen = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    appendFileSync(logFile, text);
    if (seen.length > 100_000) return;
    seen += text;
    if (seen.includes('"consuming"')) isReady.resolve(Math.round(performance.now() - started));
  });
  // not `close`: a command that outlives the worker may keep the pipe open
  const ended = once(child, 'exit').then(([code, signal]) => ({
    how: (code as number | null) ?? (signal as NodeJS.Signals),
    planned: existsSync(diedFile),
  }));
  void ended.then(() => isReady.resolve(null));
  return {
    startMs: isReady.promise,
    running: () => child.exitCode === null && child.signalCode === null,
    signal: (name) => void child.kill(name),
    ended,
  };
}
