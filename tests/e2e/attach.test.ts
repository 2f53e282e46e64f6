import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { describeProcess, isCertainlyDead } from '../../src/worker/run-state/process-identity.js';
import { openBench, type Bench } from '../support/bench.js';
import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { expectStatus, status } from '../support/lab.js';
import { dsaSlurm, type Program } from '../support/program.js';
import { startInTerminal, type TerminalProgram } from '../support/terminal.js';

let bench: Bench;
let terminals: TerminalProgram[];

beforeEach(async () => {
  bench = await openBench();
  terminals = [];
});

afterEach(async () => {
  for (const terminal of terminals) await terminal.close();
  await bench.close();
});

/** A shell that runs the console, then prints its exit code and the state of the terminal. */
const shell = '"$0" "$@"; echo "it ended with $?"; stty -a';

/** @param worker answers the question of a console that finds no worker; none: the console asks */
function openConsole(flags: readonly string[] = [], worker = ['--worker']): TerminalProgram {
  const args = [
    '-c',
    shell,
    dsaSlurm,
    'console',
    ...worker,
    ...bench.queueFlags,
    ...bench.quickFlags,
    ...flags,
  ];
  const terminal = startInTerminal('/bin/sh', args, { columns: 120, rows: 30, env: bench.env });
  terminals.push(terminal);
  return terminal;
}

async function startService(): Promise<Program> {
  const service = bench.start();
  await bench.until(() => service.stderr().includes('consuming'));
  return service;
}

async function select(screen: TerminalProgram, words: string): Promise<void> {
  screen.press('/');
  await screen.waitFor(/^ \/▏?/m);
  screen.press(`${words}\r`);
  await screen.waitFor(`› jobs /${words}`);
}

async function stopWorker(pid: number): Promise<void> {
  const service = await describeProcess(pid);
  process.kill(pid, 'SIGTERM');
  await bench.until(async () => isCertainlyDead(service));
}

describe('a console beside a worker service', () => {
  test('attaches and says so; two consoles agree; the worker continues after q', async () => {
    const service = await startService();
    const [one, other] = [openConsole(), openConsole(['--read-only'])];
    await one.waitFor(`attached to process ${service.pid}`);
    await other.waitFor(`attached to process ${service.pid} [read-only]`);
    const job = await bench.publish({ args: ['Wait', bench.gate('go')], title: 'Liver' });
    for (const screen of [one, other]) {
      await select(screen, 'liver');
      await screen.waitFor(/▸● RUNNING .*Liver/);
    }
    // the log comes through the socket, too
    one.press('l');
    await one.waitFor(/tick \d+/);
    one.press('l');
    // one console sees what the other does, but cannot do it itself
    other.press('p');
    other.press('x');
    await other.waitFor('This console is read-only: x does nothing');
    one.press('p');
    await one.waitFor('Accept no more tasks?');
    one.press('y');
    await other.waitFor('intake paused');
    await one.waitFor('intake paused');
    expect(other.screen().join('\n')).not.toContain('Cancel this run?');
    one.press('p');
    await other.waitFor('intake open');
    one.press('q');
    await one.waitFor(/The worker keeps running\.\n[^]*it ended with 0/);
    expect(one.isRestored()).toBe(true);
    await bench.openGate('go');
    expectStatus(await bench.ended(job), status.success);
    await other.waitFor(/✔ succeeded .*Liver/);
    other.press('q');
    await other.waitFor('it ended with 0');
    service.signal('SIGTERM');
    expect(await service.ended).toBe(0);
  });

  test('shows the age of the data while the worker is down, and attaches to the next one', async () => {
    const service = await startService();
    const screen = openConsole();
    await screen.waitFor(`attached to process ${service.pid}`);
    service.signal('SIGKILL');
    await screen.waitFor(/\[worker ended [\dm ]+s ago\]/);
    await screen.waitFor(/jobs as of [\dm ]+s ago: the worker has ended/);
    await screen.waitFor(/Start the worker again: press u, or: dsa-slurm worker/);
    expect(screen.screen().join('\n')).not.toMatch(/● (broker|intake|Slurm)/);
    screen.press('p');
    await screen.waitFor('The worker is not connected');
    const next = await startService();
    await screen.waitFor(`attached to process ${next.pid}`);
    await screen.waitFor('broker consuming');
    screen.press('q');
    await screen.waitFor('it ended with 0');
    next.signal('SIGTERM');
    expect(await next.ended).toBe(0);
  });

  test('u starts a worker again as a service, after a question', async () => {
    const service = await startService();
    const screen = openConsole();
    await screen.waitFor(`attached to process ${service.pid}`);
    screen.press('u');
    await screen.waitFor('There is a worker already.');
    service.signal('SIGKILL');
    await screen.waitFor(/ u +start worker/);
    screen.press('u');
    await screen.waitFor('Start a worker of profile default?');
    screen.press('n');
    await screen.waitFor(/ u +start worker/);
    screen.press('u');
    await screen.waitFor('Start a worker of profile default?');
    screen.press('y');
    const lines = await screen.waitFor(/attached to process \d+[^]*broker consuming/);
    const pid = Number(/attached to process (\d+)/.exec(lines.join('\n'))?.[1]);
    expect(pid).not.toBe(service.pid);
    screen.press('q');
    await screen.waitFor('it ended with 0');
    await stopWorker(pid);
  });

  test('without a worker, a console asks before it takes tasks from the queue', async () => {
    const job = await bench.publish({ args: ['Wait', bench.gate('go')], title: 'Liver' });
    const look = openConsole([], []);
    await look.waitFor(/No worker of profile "default" is running\.[^]*w, s or n\?/);
    look.press('maybe\r');
    await look.waitFor('"maybe" is not one of w, s and n.');
    look.press('\r');
    await look.waitFor(/› jobs .*\[no worker\]/);
    look.press('p');
    await look.waitFor('No worker is running: nothing was done.');
    expect(await readdir(bench.stateDir)).toEqual(['console.log']);
    // the other console runs it, and the first one attaches, with all actions
    const inside = openConsole([], []);
    await inside.waitFor('w, s or n?');
    inside.press('w\r');
    await inside.waitFor(/\[worker inside\][^]*broker consuming/);
    await look.waitFor(/attached to process \d+$/m);
    await inside.waitFor(/RUNNING .*Liver/);
    look.press('p');
    await look.waitFor('Accept no more tasks?');
    look.press('y');
    await inside.waitFor('intake paused');
    await bench.openGate('go');
    expectStatus(await bench.ended(job), status.success);
    // Girder receives the status a moment before the run leaves the worker; until then, q asks what becomes of it
    await inside.waitFor('0/1,000 in flight');
    for (const screen of [look, inside]) {
      screen.press('q');
      await screen.waitFor('it ended with 0');
    }
    const service = openConsole([], []);
    await service.waitFor('w, s or n?');
    service.press('s\r');
    const lines = await service.waitFor(/attached to process \d+/);
    service.press('q');
    await service.waitFor(/The worker keeps running\.\n[^]*it ended with 0/);
    await stopWorker(Number(/attached to process (\d+)/.exec(lines.join('\n'))?.[1]));
  });

  test('attaches to the worker of another console', async () => {
    const first = openConsole();
    await first.waitFor('broker consuming');
    expect(first.screen().join('\n')).not.toContain('attached');
    const owner = JSON.parse(await readFile(join(bench.stateDir, 'worker.owner'), 'utf8')) as { pid: number };
    const second = openConsole();
    await second.waitFor(`attached to process ${owner.pid}`);
    first.press('q');
    await first.waitFor('it ended with 0');
    await second.waitFor(/worker ended [\dm ]+s ago/);
    second.press('q');
    await second.waitFor('it ended with 0');
  });

  test('read-only without a worker: accepts nothing, shows Slurm, and attaches to a worker that starts later', async () => {
    const job = await bench.publish({ args: ['Wait', bench.gate('go')], title: 'Liver' });
    const screen = openConsole(['--read-only'], []);
    await screen.waitFor(/\[no worker\] \[read-only\][^]*no worker running[^]*● Slurm [\dm ]+s ago/);
    expect(screen.screen().join('\n')).toContain('Tasks wait in the queue. Start a worker: dsa-slurm worker');
    screen.press('W');
    await screen.waitFor('not running: tasks wait in the queue');
    expect(await readdir(bench.stateDir)).toEqual(['console.log']);
    screen.press('1');
    await screen.waitFor(/› jobs .*no worker/);
    screen.press('/liv');
    await screen.waitFor(/^ \/liv/m);
    const service = await startService();
    await screen.waitFor(`attached to process ${service.pid} [read-only]`);
    await screen.waitFor(/RUNNING .*Liver/);
    // the unfinished input is still there
    screen.press('er\r');
    await screen.waitFor(/› jobs \/liver .*attached/);
    await bench.openGate('go');
    expectStatus(await bench.ended(job), status.success);
    screen.press('q');
    await screen.waitFor('it ended with 0');
    expect(screen.isRestored()).toBe(true);
  });

  test('names the host of a worker that runs elsewhere', async () => {
    const service = await startService();
    const file = join(bench.stateDir, 'worker.socket.json');
    const address = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...address, path: '/nowhere/w', host: 'login-2' }));
    const screen = openConsole();
    await screen.waitFor(/it ended with 1\n/);
    expect(screen.screen().join(' ')).toMatch(
      new RegExp(`runs on login-2 \\(process ${service.pid}\\), and its +socket is only there`),
    );
  });
});

/** Process id of the worker that holds the state directory. */
async function owner(): Promise<number> {
  const text = await readFile(join(bench.stateDir, 'worker.owner'), 'utf8').catch(() => '{}');
  return (JSON.parse(text) as { pid?: number }).pid ?? 0;
}

async function running(title: string): Promise<{ screen: TerminalProgram; job: GirderJob }> {
  const screen = openConsole();
  await screen.waitFor('broker consuming');
  const job = await bench.publish({ args: ['Wait', bench.gate('go')], title });
  await select(screen, title.toLowerCase());
  await screen.waitFor(/▸● RUNNING /);
  return { screen, job };
}

describe('quitting a console with an embedded worker', () => {
  test('k keeps the worker running as a service that outlives the terminal', async () => {
    const { screen, job } = await running('Liver');
    const inside = await owner();
    screen.press('q');
    await screen.waitFor(/Quit\? 1 run is in flight[^]*any other key {2}stay/);
    screen.press('k');
    const [message] =
      /as process (\d+)\.\n[^]*it ended with 0/.exec(
        (
          await screen.waitFor(
            /The worker continues in the background, as process \d+\.\n[^]*it ended with 0/,
          )
        ).join('\n'),
      ) ?? expect.fail('nothing was said');
    const pid = Number(/process (\d+)/.exec(message)?.[1]);
    try {
      expect(message).toContain(`kill ${pid}`);
      expect(screen.isRestored()).toBe(true);
      expect(pid).not.toBe(inside);
      expect(await owner()).toBe(pid);
      await screen.close();
      terminals = [];
      const again = openConsole();
      await again.waitFor(`attached to process ${pid}`);
      await bench.openGate('go');
      expectStatus(await bench.ended(job), status.success);
      again.press('q');
      await again.waitFor('it ended with 0');
    } finally {
      const service = await describeProcess(pid);
      process.kill(pid, 'SIGTERM');
      await bench.until(async () => isCertainlyDead(service));
    }
    expect(await owner()).toBe(0);
  });

  test('c cancels every run after confirmation, and closes when they have ended', async () => {
    const { screen, job } = await running('Lung');
    screen.press('q');
    await screen.waitFor('any other key  stay');
    screen.press('c');
    await screen.waitFor(/Cancel 1 run and quit\?[^]*Lung[^]*any other key no/);
    screen.press('y');
    await screen.waitFor('it ended with 0');
    expect(screen.isRestored()).toBe(true);
    expectStatus(await bench.ended(job), status.canceled);
    expect(await bench.slurmJobs(job)).toEqual([{ id: expect.any(String), state: 'CANCELLED' }]);
  });
});
