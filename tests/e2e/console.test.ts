import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { openBench, type Bench } from '../support/bench.js';
import { expectStatus, status, statuses } from '../support/lab.js';
import { dsaSlurm, runProgram, type Environment } from '../support/program.js';
import { celery } from '../integration/celery/bench.js';
import { keys, startInTerminal, type TerminalProgram } from '../support/terminal.js';

let bench: Bench;
let terminal: TerminalProgram | undefined;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await terminal?.close();
  terminal = undefined;
  await bench.close();
});

/** A shell that runs the console, then prints its exit code and the state of the terminal. */
const shell = '"$0" "$@"; echo "it ended with $?"; stty -a';

function openConsole(
  columns: number,
  rows: number,
  flags: readonly string[] = [],
  env: Environment = {},
): TerminalProgram {
  const args = [
    '-c',
    shell,
    dsaSlurm,
    'console',
    '--worker',
    ...bench.queueFlags,
    ...bench.quickFlags,
    ...flags,
  ];
  terminal = startInTerminal('/bin/sh', args, { columns, rows, env: { ...bench.env, ...env } });
  return terminal;
}

/** The terminal is restored: main screen, visible cursor, canonical mode with echo. */
async function expectGivenBack(screen: TerminalProgram): Promise<void> {
  await screen.waitFor(/it ended with 0\n[^]* icanon/);
  expect(screen.isRestored()).toBe(true);
  const text = screen.screen().join('\n');
  expect(text).toMatch(/ echo /);
  expect(text).not.toContain('broker consuming');
  expect(await screen.ended).toBe(0);
}

const publishWait = async (title: string, gate: string): Promise<GirderJob> =>
  bench.publish({ args: ['Wait', bench.gate(gate)], title });

/** Filters for the rows of a test, because the test site's Slurm shows those of other tests, too. */
async function select(screen: TerminalProgram, words: string): Promise<void> {
  screen.press('/');
  await screen.waitFor(/^ \/▏?/m);
  screen.press(words);
  await screen.waitFor(new RegExp(`^ /${words}`, 'm'));
  screen.press(keys.enter);
  await screen.waitFor(new RegExp(`› jobs[a-z ]* /${words}`));
}

const lineWith = (lines: readonly string[], text: string): string =>
  lines.find((line) => line.includes(text)) ?? expect.fail(`no line with ${text}`);

describe.each([
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
])('the console at $columns x $rows', ({ columns, rows }) => {
  test('shows jobs and their logs, and cancels a real job after confirmation', async () => {
    const screen = openConsole(columns, rows);
    await screen.waitFor('broker consuming');
    const liver = await publishWait('Liver', 'liver');
    await select(screen, 'test/image');
    await screen.waitFor(/▸● RUNNING .*Liver/);
    const lung = await publishWait('Lung é漢', 'lung');
    const lines = await screen.waitFor(/RUNNING .*Lung é漢/);
    const [liverJob] = await bench.slurmJobs(liver);
    const [lungJob] = await bench.slurmJobs(lung);
    expect(lineWith(lines, 'Lung é漢')).toMatch(new RegExp(`^ ● RUNNING +${lungJob?.id} .*Wait`));
    expect(lines.join('\n')).toContain('test/image:v1');
    expect(lines.join('\n')).toContain('2/1,000 in flight');
    // nothing is wider than the terminal, or wraps: the footer is where it belongs
    expect(lines.at(-2)).toMatch(/^ l log .*q quit/);

    screen.press('l');
    await screen.waitFor(/tick \d+/);
    const last = (): number =>
      Math.max(
        ...[
          ...screen
            .screen()
            .join('\n')
            .matchAll(/tick (\d+)/g),
        ].map((match) => Number(match[1])),
      );
    const before = last();
    await screen.waitFor(new RegExp(`tick ${before + 8}\\b`));
    screen.press('l');
    await screen.waitFor(/› jobs \/test\/image(?: {2}|$)/m);

    screen.press('?');
    await screen.waitFor('Cancel the selected or marked rows, after confirmation');
    screen.press('?');
    await screen.waitFor(/▸● RUNNING/);

    screen.press(keys.down);
    await screen.waitFor(/▸● RUNNING .*Lung/);
    screen.press('x');
    // a frame can arrive in pieces, so wait for the whole box
    const question = (await screen.waitFor(/Cancel this run\?[^]*Title +Lung é漢/)).join('\n');
    expect(question).toContain(`job ${lungJob?.id}, run ${lung.celeryTaskId}`);
    expect(question).toContain('Wait of test/image:v1');
    // anything except yes means no
    screen.press('n');
    await screen.waitFor(/▸● RUNNING .*Lung[^]*\n l log/);
    expect((await bench.slurmJobs(lung))[0]?.state).toBe('RUNNING');
    screen.press('x');
    await screen.waitFor('Cancel this run?');
    screen.press('y');
    await screen.waitFor(/✔ Cancel run .*Wait/);
    const canceled = await bench.ended(lung);
    expectStatus(canceled, status.canceled);
    expect(statuses(canceled).at(-1)).toBe(status.canceled);
    expect(await bench.command('scontrol', ['show', 'job', lungJob?.id ?? ''])).toMatchObject({
      stdout: expect.stringContaining('JobState=CANCELLED'),
    });
    await screen.waitFor(/⊘ canceled .*Lung/);
    expect(await bench.slurmJobs(liver)).toEqual([{ id: liverJob?.id, state: 'RUNNING' }]);

    await bench.openGate('liver');
    expectStatus(await bench.ended(liver), status.success);
    // counts are short where there is little room
    await screen.waitFor(/✔ ?1\b/);
    // with nothing in flight there is no question
    screen.press('q');
    await expectGivenBack(screen);
  });
});

/** Types a command and answers its question with yes. */
async function agreeTo(screen: TerminalProgram, command: string, question: string | RegExp): Promise<void> {
  screen.press(':');
  await screen.waitFor(/^ :/m);
  screen.press(command);
  await screen.waitFor(new RegExp(`^ :${command}`, 'm'));
  screen.press(keys.enter);
  await screen.waitFor(question);
  screen.press('y');
}

/** Whether Slurm's record of a job matches. */
const fact = async (jobId: string, pattern: RegExp): Promise<boolean> => {
  const answer = await bench.command('scontrol', ['show', 'job', jobId]);
  return answer.kind === 'exited' && pattern.test(answer.stdout);
};

describe('actions', () => {
  test('requeues through the menu, then holds, limits and releases a real waiting job', async () => {
    const { screen, job } = await running();
    const [{ id } = expect.fail('no job')] = await bench.slurmJobs(job);
    screen.press('a');
    await screen.waitFor(/Choose an action for \d+ Liver:[^]*Esc close/);
    screen.press('r');
    await screen.waitFor(/Requeue this run\?[^]*starts over[^]*y yes/);
    screen.press('y');
    await screen.waitFor(`scontrol requeue ${id}: done`);
    await screen.waitFor(/▸○ PENDING .*Liver/);
    await agreeTo(screen, 'hold', 'Hold this run?');
    await screen.waitFor(`scontrol hold ${id}: done`);
    // in its row, or in the line about it
    await screen.waitFor(/JobHeld(User|Admin)/);
    expect(await fact(id, /Reason=JobHeld(User|Admin)/)).toBe(true);
    await agreeTo(screen, 'timelimit 00:07:00', 'Set the time limit to 00:07:00 for this run?');
    await bench.until(async () => fact(id, /TimeLimit=00:07:00/));
    await agreeTo(screen, 'release', 'Release this run?');
    await screen.waitFor(`scontrol release ${id}: done`);
    await bench.until(async () => !(await fact(id, /Reason=JobHeld(User|Admin)/)));
    // the operator reads the command's own message
    await agreeTo(screen, 'nice -1000', /nice value to -1000 for this run/);
    await bench.until(
      async () => (await fact(id, /Nice=-1000/)) || /denied/.test(screen.screen().join('\n')),
    );
    await agreeTo(screen, 'cancel', 'Cancel this run?');
    expectStatus(await bench.ended(job), status.canceled);
  });

  test("m lists the jobs of all users, and actions on another user's job are refused", async ({ skip }) => {
    const screen = openConsole(120, 40);
    await screen.waitFor('broker consuming');
    // only root can submit as another user
    const foreign = await bench.command('sbatch', [
      '--parsable',
      '--uid=nobody',
      '--job-name=stranger',
      '--output=/dev/null',
      '--chdir=/tmp',
      // it stays pending: another user could not read its script below our temporary directory
      '--begin=now+1hour',
      '--wrap=true',
    ]);
    if (foreign.kind !== 'exited' || foreign.exitCode !== 0) return skip();
    const id = foreign.stdout.trim();
    try {
      screen.press('m');
      await screen.waitFor('› jobs from Girder');
      screen.press('m');
      await screen.waitFor('› jobs of all users');
      await select(screen, 'stranger');
      await screen.waitFor(new RegExp(`▸. \\w+ +${id} .*stranger .*nobody`));
      await agreeTo(screen, 'hold', /Hold this Slurm job\?[^]*User +nobody/);
      await screen.waitFor(`Not a job of this user: ${id}`);
    } finally {
      await bench.command('scancel', [id]);
    }
  });
});

test('the other tables show nodes, finished runs, images and the doctor with their age', async () => {
  const screen = openConsole(120, 40);
  await screen.waitFor('broker consuming');
  const job = await publishWait('Kidney', 'kidney');
  await select(screen, 'kidney');
  await screen.waitFor(/▸● RUNNING .*Kidney/);

  screen.press('3');
  await screen.waitFor(/› nodes(?: {2}|$)/m);
  const [{ id } = { id: '' }] = await bench.slurmJobs(job);
  const message = await bench.command('squeue', ['--noheader', `--jobs=${id}`, '--format=%N']);
  const node = message.kind === 'exited' ? message.stdout.trim() : expect.fail(message.kind);
  await screen.waitFor(new RegExp(`● nodes [\\dm ]+s ago[^]*● (mixed|allocated) +${node} .* \\d/\\d`));
  // Enter on its node finds the job there
  screen.press(`/${node}`);
  screen.press(keys.enter);
  await screen.waitFor(new RegExp(`› nodes /${node}`));
  screen.press(keys.enter);
  await screen.waitFor(new RegExp(`› ${node}(?: {2}.*)?\\n[^]*RUNNING +${id} .*Kidney`));
  screen.press(keys.escape);
  await screen.waitFor(new RegExp(`› nodes /${node}(?: {2}|$)`, 'm'));
  screen.press(':partitions');
  screen.press(keys.enter);
  await screen.waitFor(/● partitions [\dm ]+s ago[^]*● up +/);

  await bench.openGate('kidney');
  expectStatus(await bench.ended(job), status.success);
  screen.press('5');
  await screen.waitFor(/● finished runs[^]*finished a minute[^]*▸✔ succeeded .*Wait .*Kidney/);
  screen.press('6');
  await screen.waitFor(/● images[^]*test_image_v1\.sif .*Wait/);

  screen.press('7');
  await screen.waitFor(/doctor: \d+ of \d+ done/);
  await screen.waitFor(/● doctor [\dm ]+s ago/, 60_000);
  screen.press('/Node v2');
  screen.press(keys.enter);
  await screen.waitFor(/▸✔ ok +host +Node/);
  screen.press(keys.enter);
  await screen.waitFor(/› host\.node(?: {2}.*)?\n[^]*Evidence\n +Node v/);
  screen.press('r');
  await screen.waitFor(/Running 1 check again/);
  screen.press('1');
  await screen.waitFor(/› jobs/);
  screen.press('q');
  await expectGivenBack(screen);
});

test('o gives the terminal and Ctrl-C to the pager, and restores the console afterwards', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'pager-'));
  const pager = join(dir, 'pager.mjs');
  const file = (name: string): string => join(dir, name);
  await writeFile(
    pager,
    `import { existsSync } from 'node:fs';
process.stdin.setRawMode(true);
process.on('SIGINT', () => console.log('the pager was interrupted'));
console.log('PAGER', process.argv.slice(2).join('|'));
process.stdin.on('data', (keys) => {
  console.log('the pager read', JSON.stringify(String(keys)));
  if (String(keys) === 'q') process.exit();
  // as a terminal does: to the whole foreground group, while Slurm is being queried
  if (String(keys) === 'c') {
    let isBegun = false;
    const timer = setInterval(() => {
      const isAsked = existsSync('${file('asking')}');
      if (isAsked && isBegun) {
        clearInterval(timer);
        setTimeout(() => process.kill(0, 'SIGINT'), 50);
      }
      isBegun ||= !isAsked;
    }, 5);
  }
});
`,
  );
  const squeue = `#!/bin/sh
trap 'touch ${file('interrupted')}; exit 130' INT
touch ${file('asking')}; sleep 0.3; rm ${file('asking')}
PATH="\${PATH#*:}" exec squeue "$@"
`;
  await writeFile(file('squeue'), squeue, { mode: 0o755 });
  const { screen, job } = await running({
    PAGER: `"${process.execPath}" ${pager} 'two words'`,
    PATH: `${dir}:${bench.env['PATH'] ?? ''}`,
  });
  screen.press('o');
  const [{ id } = expect.fail('no job')] = await bench.slurmJobs(job);
  await screen.waitFor(/PAGER two words\|\/[^]*\.log/);
  expect(screen.screen().join('\n')).not.toContain('broker consuming');
  // the first key already goes to the pager
  screen.press('x');
  await screen.waitFor('the pager read "x"');
  screen.press('c');
  await screen.waitFor('the pager was interrupted');
  screen.press('q');
  await screen.waitFor(wholeFrame(80));
  screen.press('x');
  await screen.waitFor(`job ${id}`);
  screen.press('n');
  await screen.waitFor(wholeFrame(80));
  // nor has the worker's query
  await expect(stat(file('interrupted'))).rejects.toThrow('ENOENT');
  await rm(dir, { recursive: true });
});

test('the output of a job array task is followed', async () => {
  const screen = openConsole(100, 30);
  await screen.waitFor('broker consuming');
  const answer = await bench.command('sbatch', [
    '--parsable',
    '--array=1-2',
    '--job-name=array-of-two',
    `--output=${join(bench.stateDir, 'task-%A-%a.out')}`,
    '--wrap=echo "this is task $SLURM_ARRAY_TASK_ID"; sleep 300',
  ]);
  const id = answer.kind === 'exited' ? answer.stdout.trim() : expect.fail('no job');
  try {
    await select(screen, `${id}_2`);
    await screen.waitFor(new RegExp(`▸● RUNNING +${id}_2 `));
    screen.press('l');
    await screen.waitFor('this is task 2');
  } finally {
    await bench.command('scancel', [id]);
  }
});

/** A frame from the tabs to the footer, with one row left free below it. */
const wholeFrame = (columns: number): RegExp =>
  new RegExp(
    `^ {2}1 jobs .*\\n dsa-slurm › .*\\n[^]*▸● RUNNING [^]*\\n─{${columns}}\\n.*\\n.*\\n l log .*q quit\\n$`,
  );

/** A console with one running job. */
async function running(env: Environment = {}): Promise<{ screen: TerminalProgram; job: GirderJob }> {
  const screen = openConsole(80, 24, [], env);
  await screen.waitFor('broker consuming');
  const job = await publishWait('Liver', 'go');
  await select(screen, 'liver');
  await screen.waitFor(/▸● RUNNING .*Liver/);
  return { screen, job };
}

describe('leaving', () => {
  test('q asks while runs are in flight, and the Slurm job continues', async () => {
    const { screen, job } = await running();
    screen.press('q');
    await screen.waitFor('Quit? 1 run is in flight.');
    screen.press(keys.escape);
    await screen.waitFor(/▸● RUNNING .*Liver[^]*\n l log/);
    screen.press('q');
    await screen.waitFor('Quit?');
    screen.press('y');
    await expectGivenBack(screen);
    expect((await bench.slurmJobs(job))[0]?.state).toBe('RUNNING');
    expect(bench.girder.job(job.id)?.status).toBe(status.running);
    // and the worker resumes it
    bench.start();
    await bench.openGate('go');
    expectStatus(await bench.ended(job), status.success);
  });

  test("Celery's shutdown restores the terminal if the profile allows it", async () => {
    const node = bench.settings.worker.name;
    const flags = ['worker.remoteShutdown=true', `worker.name=${node}`].flatMap((pair) => ['--set', pair]);
    const screen = openConsole(100, 24, flags);
    await screen.waitFor('broker consuming');
    await celery([{ step: 'control', method: 'shutdown', destination: [node], timeout: 0.5 }]);
    await expectGivenBack(screen);
  });

  test.each(['SIGTERM', 'SIGHUP'] as const)('%s restores the terminal', async (name) => {
    const { screen, job } = await running();
    const owner = JSON.parse(await readFile(join(bench.stateDir, 'worker.owner'), 'utf8')) as { pid: number };
    process.kill(owner.pid, name);
    await expectGivenBack(screen);
    expect((await bench.slurmJobs(job))[0]?.state).toBe('RUNNING');
  });

  test("Ctrl-C twice quits at once, and only its owner can read the console's log", async () => {
    const { screen } = await running();
    screen.press(keys.ctrlC);
    await screen.waitFor('Quit?');
    screen.press(keys.ctrlC);
    await expectGivenBack(screen);
    expect((await stat(join(bench.stateDir, 'console.log'))).mode & 0o777).toBe(0o600);
  });

  test('an uncaught exception restores the terminal and is printed on the main screen', async () => {
    const preload = join(bench.env['HOME'] ?? '', 'defect.mjs');
    await writeFile(preload, "process.on('SIGUSR2', () => { throw new Error('a screw came loose'); });");
    const { screen, job } = await running({ NODE_OPTIONS: `--import=${preload}` });
    const owner = JSON.parse(await readFile(join(bench.stateDir, 'worker.owner'), 'utf8')) as { pid: number };
    process.kill(owner.pid, 'SIGUSR2');
    const lines = await screen.waitFor(/a screw came loose[^]*it ended with 1\n[^]* icanon/);
    expect(screen.isRestored()).toBe(true);
    expect(lines.join('\n')).not.toContain('broker consuming');
    expect((await bench.slurmJobs(job))[0]?.state).toBe('RUNNING');
  });

  test('a closed terminal closes the console', async () => {
    const { screen } = await running();
    await screen.close();
    // it has released its state: the next worker can take it
    await expect(stat(join(bench.stateDir, 'worker.owner'))).rejects.toThrow('ENOENT');
    await expect(stat(join(bench.stateDir, 'worker.socket.json'))).rejects.toThrow('ENOENT');
    const worker = bench.start();
    await bench.until(() => worker.stderr().includes('consuming'));
  });
});

test('a failed start is reported on a usable terminal', async () => {
  const screen = openConsole(80, 24, ['--set', 'dirs.images=/nowhere']);
  await screen.waitFor(/it ended with 2\n[^]* icanon/);
  expect(screen.written()).toContain('The worker cannot start');
  expect(screen.written()).not.toContain('\u001B[?1049h');
});

test('without a terminal it refers to `worker`', async () => {
  const { code, stdout, stderr } = await runProgram(['console', ...bench.queueFlags], bench.env);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('The console needs a terminal');
  expect(stderr).toContain('`dsa-slurm worker`');
  await expect(stat(bench.stateDir)).rejects.toThrow('ENOENT');
});
