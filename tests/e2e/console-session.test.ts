import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { openBench, type Bench } from '../support/bench.js';
import { expectStatus, status } from '../support/lab.js';
import { dsaSlurm } from '../support/program.js';
import { keys, startInTerminal, type TerminalProgram } from '../support/terminal.js';

/** Six analyses that run until their gates open. */
const organs = ['Brain', 'Colon', 'Heart', 'Liver', 'Lung', 'Spleen'] as const;

let bench: Bench;
let screen: TerminalProgram;
/** For this console alone, so that only its Slurm becomes unreachable. */
let slurmConf: string;
let jobs: ReadonlyMap<string, GirderJob>;

beforeAll(async () => {
  bench = await openBench();
  slurmConf = join(bench.env['HOME'] ?? '', 'slurm.conf');
});

afterAll(async () => {
  await screen?.close();
  await bench?.close();
});

function openConsole(columns: number, rows: number): TerminalProgram {
  const script = '"$0" "$@"; echo "it ended with $?"; stty -a';
  const args = ['-c', script, dsaSlurm, 'console', '--worker', ...bench.queueFlags, ...bench.quickFlags];
  const env = { ...bench.env, SLURM_CONF: slurmConf };
  return startInTerminal('/bin/sh', args, { columns, rows, env });
}

const jobOf = (organ: (typeof organs)[number]): GirderJob => jobs.get(organ) ?? expect.fail(organ);

/** The titles, from top to bottom. */
const titles = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => /RUNNING .*?Batch (\w+)/.exec(line)?.[1] ?? []);

/** Replaces the filter. */
async function filter(words: string): Promise<void> {
  screen.press(':filter');
  await screen.waitFor(/^ :filter/m);
  screen.press(` ${words}\r`);
  await screen.waitFor(`› jobs${words === '' ? '' : ` /${words}`}`);
}

describe('one console on real Slurm, from the first batch to the next start', () => {
  test('a batch runs', async () => {
    await copyFile(bench.env['SLURM_CONF'] ?? '', slurmConf);
    screen = openConsole(140, 40);
    await screen.waitFor('broker consuming');
    const published = organs.map(async (organ) => {
      const job = await bench.publish({ args: ['Wait', bench.gate(organ)], title: `Batch ${organ}` });
      return [organ, job] as const;
    });
    jobs = new Map(await Promise.all(published));
    await screen.waitFor('6/1,000 in flight');
    await screen.waitFor(/(● RUNNING .*Batch [^]*){6}/);
  });

  test('filter', async () => {
    await filter('batch state=running !/liver|lung/');
    expect(titles(await screen.waitFor(/\d of 4, \d+ hidden/)).sort()).toEqual([
      'Brain',
      'Colon',
      'Heart',
      'Spleen',
    ]);
    await filter('batch state=pending');
    await screen.waitFor(/No matches for "batch state=pending"; the filter hides \d+ rows/);
    await filter('batch');
    await screen.waitFor(/\d of 6/);
  });

  test('sort', async () => {
    screen.press(':sort title\r');
    await screen.waitFor(/TITLE▴/);
    expect(titles(screen.screen())).toEqual(organs);
    screen.press('S');
    await screen.waitFor(/RUNNING .*Spleen[^]*RUNNING .*Brain/);
    expect(titles(screen.screen())).toEqual(organs.toReversed());
  });

  test('follow a log', async () => {
    screen.press('g');
    await screen.waitFor(/▸● RUNNING .*Spleen/);
    screen.press('l');
    await screen.waitFor(/tick \d+/);
    const last = (): number =>
      Math.max(
        ...Array.from(
          screen
            .screen()
            .join('\n')
            .matchAll(/tick (\d+)/g),
          ([, tick]) => Number(tick),
        ),
      );
    await screen.waitFor(new RegExp(`tick ${last() + 8}\\b`));
    screen.press('l');
    await screen.waitFor(/› jobs \/batch {2}/m);
  });

  test('cancel three', async () => {
    // from the first to the third of Spleen, Lung, Liver, Heart, Colon, Brain
    screen.press(' ');
    await screen.waitFor(/1 marked/);
    screen.press(keys.down);
    screen.press('v');
    await screen.waitFor('3 marked');
    screen.press('x');
    const question = (await screen.waitFor(/Cancel 3 runs\?[^]*y yes/)).join('\n');
    for (const organ of ['Spleen', 'Lung', 'Liver'] as const) {
      const [{ id } = expect.fail('no job')] = await bench.slurmJobs(jobOf(organ));
      expect(question).toContain(`${id} Batch ${organ}`);
    }
    screen.press('y');
    await screen.waitFor(/Cancel 3 rows: scancel .*done/);
    for (const organ of ['Spleen', 'Lung', 'Liver'] as const)
      expectStatus(await bench.ended(jobOf(organ)), status.canceled);
    await screen.waitFor('⊘ 3 canceled');
    // finished rows are no longer marked
    expect(screen.screen().join('\n')).not.toContain('marked');
    for (const organ of ['Brain', 'Colon', 'Heart'] as const)
      expect(await bench.slurmJobs(jobOf(organ))).toMatchObject([{ state: 'RUNNING' }]);
  });

  test('a refresh fails and recovers', async () => {
    const conf = await readFile(slurmConf, 'utf8');
    // a port without a listener
    await writeFile(slurmConf, conf.replace(/^SlurmctldPort=.*$/m, 'SlurmctldPort=1'));
    try {
      const lines = await screen.waitFor(
        /▲ Slurm not responding for [\dm ]+s: .*[^]*~● RUNNING .*Batch Heart/,
      );
      // the last good rows stay
      expect(titles(lines).sort()).toEqual(['Brain', 'Colon', 'Heart']);
      expect(lines.join('\n')).toMatch(/not responding for [\dm ]+s: .*squeue/);
    } finally {
      await writeFile(slurmConf, conf);
    }
    await screen.waitFor(/● Slurm [\dm ]+s ago/);
    expect(screen.screen().join('\n')).not.toMatch(/^~/m);
  });

  test('resize', async () => {
    screen.resize(60, 15);
    const least = await screen.waitFor(frameWith(/ STATE +JOB +GIRDER TITLE▾ +ELAPSED +NODES/));
    expect(least).toHaveLength(15);
    screen.resize(30, 8);
    await screen.waitFor('The console needs 40 x 15');
    screen.resize(300, 100);
    expect(await screen.waitFor(frameWith(/ STATE .*IMAGE .*USER .*LIMIT/))).toHaveLength(100);
    await screen.waitFor(/● RUNNING .*test\/image:v1 .*Batch/);
    screen.resize(80, 24);
    expect(await screen.waitFor(frameWith(/ STATE +JOB +NAME +GIRDER TITLE▾ .* NODES/))).toHaveLength(24);
  });

  test('quit and return', async () => {
    screen.press('q');
    await screen.waitFor('Quit? 3 runs are in flight.');
    screen.press('l');
    await screen.waitFor(/it ended with 0\n[^]* icanon/);
    expect(screen.isRestored()).toBe(true);
    for (const organ of ['Brain', 'Colon', 'Heart'] as const)
      expect(await bench.slurmJobs(jobOf(organ))).toMatchObject([{ state: 'RUNNING' }]);
    // one ends while no console is open
    await bench.openGate('Colon');
    await bench.until(async () => (await bench.slurmJobs(jobOf('Colon')))[0]?.state === 'COMPLETED');
    screen = openConsole(140, 40);
    // the others are resumed, and the sort order is remembered
    await screen.waitFor(/✔ succeeded .*Colon/);
    expect(titles(await screen.waitFor(/RUNNING .*Heart[^]*RUNNING .*Brain/))).toEqual(['Heart', 'Brain']);
    expectStatus(await bench.ended(jobOf('Colon')), status.success);
    await bench.openGate('Brain');
    await bench.openGate('Heart');
    await screen.waitFor('✔ 3 ok');
    screen.press('q');
    await screen.waitFor(/it ended with 0\n/);
  });
});

/** A frame from the tabs to the footer with this heading, and one row left free below it. */
function frameWith({ source }: RegExp): RegExp {
  return new RegExp(
    `^ .*1 jobs .*\\n dsa-slurm › .*\\n[^]*\\n${source}[^]*● RUNNING [^]*\\n l log .*q quit\\n$`,
  );
}
