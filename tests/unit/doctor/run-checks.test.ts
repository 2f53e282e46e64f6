import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import type { Check, Finding } from '../../../src/doctor/check.js';
import { runChecks } from '../../../src/doctor/run-checks.js';
import { createManualClock, runContext } from '../../support/doctor.js';
import { createQuickClock } from '../../support/scripted-http.js';

function check(id: string, run: Check['run'], more: Partial<Check> = {}): Check {
  return { id, group: 'host', title: id, run, ...more };
}

const ok: Finding = { status: 'ok', evidence: ['well'] };
const never = async () => new Promise<never>(() => undefined);

function statuses(results: readonly { id: string; status: string }[]): Record<string, string> {
  return Object.fromEntries(results.map(({ id, status }) => [id, status]));
}

/** As of checks whose fact is a list of what can be repaired. */
const repairList: Check['repairs'] = (_context, fact) =>
  (fact as string[]).map((what) => ({ what, apply: async () => undefined }));

const repairs = () => [{ what: 'fix it', apply: async () => undefined }];

describe('runChecks', () => {
  it('starts each check as soon as those that it needs are done, and passes on facts', async () => {
    const clock = createManualClock();
    const order: string[] = [];
    const slow = check('slow', async () => {
      await clock.sleep(1_000);
      order.push('slow');
      return ok;
    });
    const first = check('worker.running', async () => ({ ...ok, fact: { isAlive: true } }));
    const second = check(
      'second',
      async ({ needed }) => {
        order.push(`second ${needed('worker.running').isAlive}`);
        return ok;
      },
      { needs: ['worker.running'] },
    );
    const all = runChecks([slow, second, first], runContext({ clock }));
    await clock.pass(1_000);
    expect((await all).map(({ id }) => id)).toEqual(['slow', 'second', 'worker.running']);
    expect(order).toEqual(['second true', 'slow']);
  });

  it('measures with a monotonic clock', async () => {
    const clock = createQuickClock();
    const slow = check('slow', async () => {
      await clock.sleep(1_000);
      clock.setBack(3_600_000);
      return ok;
    });
    const [result] = await runChecks([slow], runContext({ clock: { ...clock, sleep: never } }));
    expect(result?.ms).toBe(1_000);
  });

  it('gives up a check that ignores its signal', async () => {
    const clock = createManualClock();
    const all = runChecks(
      [check('hung', never, { timeoutMs: 2_000 }), check('well', async () => ok)],
      runContext({ clock }),
    );
    await clock.pass(2_000);
    const results = await all;
    expect(results[0]).toMatchObject({
      status: 'fail',
      evidence: ['The check did not finish within 2 s.'],
      fix: 'dsa-slurm doctor --only hung   # retry it alone',
      ms: 2_000,
    });
    expect(results[1]?.status).toBe('ok');
  });

  it('gives a check without an answer the finding that it names for that', async () => {
    const clock = createManualClock();
    const whenLate: Finding = { status: 'skip', evidence: ['rabbitmqctl is slow'] };
    const all = runChecks([check('hung', never, { whenLate })], runContext({ clock }));
    await clock.pass(5_000);
    expect(await all).toMatchObject([{ id: 'hung', ...whenLate }]);
  });

  it('aborts the signal of a check at its time limit', async () => {
    const clock = createManualClock();
    let aborted = false;
    const listening = check(
      'listening',
      async ({ signal }) => {
        signal.addEventListener('abort', () => {
          aborted = true;
        });
        return never();
      },
      { timeoutMs: 100 },
    );
    const all = runChecks([listening], runContext({ clock }));
    await clock.pass(100);
    await all;
    expect(aborted).toBe(true);
  });

  it('ends after 8 s: running checks fail, waiting ones are skipped', async () => {
    const clock = createManualClock();
    const hung = (id: string, more: Partial<Check> = {}) => check(id, never, { timeoutMs: 60_000, ...more });
    const late = check('late', async () => {
      await clock.sleep(5_000);
      return ok;
    });
    const all = runChecks(
      [hung('one'), late, hung('two', { needs: ['late'] }), hung('three', { needs: ['two'] })],
      runContext({ clock }),
    );
    await clock.pass(8_000);
    const results = await all;
    expect(statuses(results)).toEqual({ one: 'fail', late: 'ok', two: 'fail', three: 'skip' });
    expect(results[0]?.evidence).toEqual(['Not finished: the time limit of the whole run is 8 s.']);
  });

  it('sets no limit on a deep run', async () => {
    const clock = createManualClock();
    const deep = check(
      'deep',
      async () => {
        await clock.sleep(60_000);
        return ok;
      },
      { deep: true, timeoutMs: 100_000 },
    );
    const all = runChecks([deep], runContext({ clock, deep: true }));
    await clock.pass(60_000);
    expect(statuses(await all)).toEqual({ deep: 'ok' });
    expect((await runChecks([deep], runContext({ clock })))[0]).toMatchObject({
      status: 'skip',
      evidence: ['only with --deep'],
    });
  });

  it('names the root cause in every check skipped because of it', async () => {
    const bad = check('bad', async () => ({ status: 'fail', evidence: ['no'] }));
    const next = check('next', async () => ok, { needs: ['bad'] });
    const last = check('last', async () => ok, { needs: ['next'] });
    const results = await runChecks([bad, next, last], runContext());
    expect(results.map(({ evidence }) => evidence[0])).toEqual([
      'no',
      'needs bad, which failed',
      'needs bad, which failed',
    ]);
    const idle = check('idle', async () => ({ status: 'skip', evidence: ['nothing to ask'] }));
    const [, after] = await runChecks(
      [idle, check('after', async () => ok, { needs: ['idle'] })],
      runContext(),
    );
    expect(after?.evidence).toEqual(['needs idle, which was skipped']);
  });

  it('continues after a warning', async () => {
    const warned = check('worker.running', async () => ({
      status: 'warn',
      evidence: ['hm'],
      fix: 'x',
      fact: { isAlive: true },
    }));
    const after = check(
      'after',
      async ({ needed }) => ({ ...ok, evidence: [String(needed('worker.running').isAlive)] }),
      {
        needs: ['worker.running'],
      },
    );
    expect((await runChecks([after, warned], runContext()))[0]).toMatchObject({
      status: 'ok',
      evidence: ['true'],
    });
  });

  it('takes needed checks from the catalog, reports them, and skips checks that need an excluded one', async () => {
    const need = check('need', async () => ok);
    const asked = check('asked', async () => ok, { needs: ['need'] });
    expect(statuses(await runChecks([asked], runContext(), { catalog: [need] }))).toEqual({
      need: 'ok',
      asked: 'ok',
    });
    expect((await runChecks([asked], runContext()))[0]).toMatchObject({
      status: 'skip',
      evidence: ['needs need, which is not part of this run'],
    });
  });

  it('skips checks that need each other instead of waiting forever', async () => {
    const a = check('a', async () => ok, { needs: ['b'] });
    const b = check('b', async () => ok, { needs: ['a'] });
    expect(statuses(await runChecks([a, b], runContext()))).toEqual({ a: 'skip', b: 'skip' });
  });

  it.each([
    [
      'an error of ours',
      new DsaSlurmError('broker', 'It is down.', { next: 'Start it.' }),
      'It is down.',
      'Start it.',
    ],
    ['any other error', new TypeError('x is not a function'), 'x is not a function', null],
    ['something other than an error', 'odd', 'odd', null],
  ])('makes a failure of %s that is thrown', async (_name, thrown, evidence, fix) => {
    const bad = check('bad', async () => {
      throw thrown;
    });
    expect((await runChecks([bad], runContext()))[0]).toMatchObject({
      status: 'fail',
      evidence: [evidence],
      fix,
    });
  });

  it('fails a check that throws synchronously', async () => {
    const bad = check('bad', () => {
      throw new Error('at once');
    });
    expect((await runChecks([bad], runContext()))[0]).toMatchObject({
      status: 'fail',
      evidence: ['at once'],
    });
  });

  it('orders results by group', async () => {
    const results = await runChecks(
      [
        check('worker.x', async () => ok, { group: 'worker' }),
        check('slurm.x', async () => ok, { group: 'slurm' }),
        check('host.x', async () => ok),
      ],
      runContext(),
    );
    expect(results.map(({ id }) => id)).toEqual(['host.x', 'slurm.x', 'worker.x']);
  });

  it('stops when its caller aborts', async () => {
    const clock = createManualClock();
    const stop = new AbortController();
    const all = runChecks(
      [check('hung', never), check('next', never, { needs: ['hung'] })],
      runContext({ clock }),
      {
        signal: stop.signal,
      },
    );
    await clock.pass(10);
    stop.abort(new Error('Ctrl-C'));
    expect(statuses(await all)).toEqual({ hung: 'fail', next: 'skip' });
  });

  it('offers repairs only for checks that warned or failed', async () => {
    const offered: string[] = [];
    await runChecks(
      [
        check('bad', async () => ({ status: 'warn', evidence: [], fact: 1 }), { repairs }),
        check('well', async () => ok, { repairs }),
      ],
      runContext(),
      { onRepairs: ({ id }, found) => offered.push(...found.map(({ what }) => `${id}: ${what}`)) },
    );
    expect(offered).toEqual(['bad: fix it']);
  });

  it('asks a check that timed out for no repairs', async () => {
    const clock = createManualClock();
    const hung = check('hung', never, { timeoutMs: 2_000, repairs: repairList });
    const all = runChecks([hung], runContext({ clock }));
    await clock.pass(2_000);
    expect(statuses(await all)).toEqual({ hung: 'fail' });
  });
});
