import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { openJournal } from '../../../src/worker/run-state/journal.js';
import { heldLease } from '../../support/lease.js';
import { someTask } from '../../support/tasks.js';
import { runCli, temporaryHome } from './support.js';

test("the end of a run's log, without what would control the terminal", async () => {
  const { home, env } = temporaryHome();
  const state = join(home, '.local/state/dsa-slurm/default');
  mkdirSync(state, { recursive: true });
  const { journal } = await openJournal(state, silentLog(), heldLease);
  const logFile = join(home, 'run.log');
  const submission = { key: 'run-1', logFile, exitRecord: join(home, 'exit'), at: 2 };
  await journal.append('run-1', { type: 'accepted', at: 1, task: someTask(), refusal: null });
  await journal.append('run-2', { type: 'accepted', at: 1, task: someTask({ id: 'run-2' }), refusal: null });
  await journal.append('run-1', { type: 'submitting', at: 2, submission });
  await journal.append('run-1', { type: 'submitted', at: 3, jobId: '4711' });
  await journal.close();
  writeFileSync(logFile, 'first\nsecond\n\u001B]0;title\u0007third\n');
  for (const word of ['run-1', '4711']) {
    expect(await runCli(['logs', word, '-n', '2'], { env })).toEqual({
      code: 0,
      stdout: 'second\n]0;titlethird\n',
      stderr: '',
    });
  }
  const early = await runCli(['logs', 'run-2'], { env });
  expect(early).toMatchObject({ code: 3, stdout: '' });
  expect(early.stderr).toContain('has no log yet: it is accepted');
  expect(await runCli(['logs', 'other'], { env })).toMatchObject({ code: 3 });
});

test("the worker's own log", async () => {
  const { home, env } = temporaryHome();
  const file = join(home, 'worker.log');
  writeFileSync(file, 'one\ntwo\n');
  expect(await runCli(['logs', '--set', `log.file=${file}`], { env })).toEqual({
    code: 0,
    stdout: 'one\ntwo\n',
    stderr: '',
  });
  expect((await runCli(['logs', '-n', '0'], { env })).code).toBe(2);
});
