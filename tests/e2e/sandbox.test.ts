import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { dsaSlurm, runProgram, startProgram, type Environment } from '../support/program.js';
import { processesIn } from '../support/sandbox-program.js';
import { startInTerminal } from '../support/terminal.js';

let home: string;
let env: Environment;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dsa-sandbox-'));
  env = {
    PATH: process.env['PATH'],
    HOME: home,
    TMPDIR: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CACHE_HOME: join(home, 'cache'),
  };
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

async function expectNothingLeft(directory: string): Promise<void> {
  expect(await processesIn(directory)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
}

interface Result {
  runs: { expected: string; outcome: string; problems: string[]; slurmJobId: string; slurmState: string }[];
}

describe('dsa-slurm sandbox', () => {
  test('a batch without a terminal: every run ends as planned, and nothing is left', async () => {
    const args = ['sandbox', '--no-console', '--json', '--count', '12'];
    const { code, stdout, stderr } = await runProgram(args, env);
    // the output says why, where it is not so
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('"ok": true') });
    expect(stderr).toContain('All 12 analyses ended as planned');
    const { runs } = JSON.parse(stdout) as Result;
    expect(runs).toHaveLength(12);
    for (const run of runs) expect(run).toMatchObject({ outcome: run.expected, problems: [] });
    const count = (outcome: string): number => runs.filter((run) => run.outcome === outcome).length;
    expect([count('succeeded'), count('failed'), count('canceled')]).toEqual([10, 1, 1]);
    expect(runs.find(({ outcome }) => outcome === 'canceled')?.slurmState).toBe('CANCELLED');
    expect(new Set(runs.map(({ slurmJobId }) => slurmJobId)).size).toBe(12);

    const directory = /Creating the sandbox in (\S+)/.exec(stderr)?.[1] ?? '';
    expect(directory.startsWith(home)).toBe(true);
    await expectNothingLeft(directory);
  });

  test('Ctrl-C during the batch: 130, and nothing is left', async () => {
    const directory = join(home, 'sandbox');
    const program = startProgram(['sandbox', '--no-console', '--dir', directory, '--count', '4'], { env });
    const message = (): string => program.stdout() + program.stderr();
    await expect.poll(message, { timeout: 60_000, interval: 50 }).toMatch(/ [1-9]\d* running/);
    expect((await processesIn(directory)).length).toBeGreaterThan(5);
    program.signal('SIGINT');
    expect(await program.ended).toBe(130);
    await expectNothingLeft(directory);
  });

  test('in a terminal of 80 columns: the console shows the end of the batch, and the next commands follow', async () => {
    const terminal = startInTerminal(dsaSlurm, ['sandbox', '--count', '1'], { columns: 80, rows: 24, env });
    try {
      await terminal.waitFor('Starting RabbitMQ, and Slurm');
      const over = await terminal.waitFor('The analysis ended as planned');
      expect(over[1]).toMatch(/sandbox: batch over, q for the results$/);
      terminal.press('j');
      await terminal.waitFor(/^(?![^]*ended as planned)/);
      expect(terminal.screen()[1]).toMatch(/batch over, q for the results$/);
      terminal.press('q');
      expect(await terminal.ended).toBe(0);
      const shown = terminal.screen().join('\n');
      expect(shown).toMatch(/^ok +slide 1\.tiff +1 +COMPLETED +running > success$/m);
      expect(shown).toContain('Next, on a login node of your own cluster:');
      expect(shown).toMatch(/^ {2}npm install --global/m);
      expect(shown).toMatch(/^ {2}dsa-slurm init/m);
      expect(terminal.isRestored()).toBe(true);
    } finally {
      await terminal.close();
    }
  });
});
