import { describe, expect, test, vi } from 'vitest';

import type { Clock } from '../../../../src/base/clock.js';
import { silentLog } from '../../../../src/base/log.js';
import type { RefusalCause } from '../../../../src/slurm/refusals.js';
import {
  createSubmitGate,
  type ClearResult,
  type Submitter,
  type WaitingRefusal,
} from '../../../../src/worker/stages/submit-gate.js';

const never = new AbortController().signal;

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock that a test advances; `pass` wakes the sleepers that are due, one after the other. */
function manualClock() {
  let now = 1_000_000;
  const sleepers: { at: number; wake: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    async sleep(ms, signal) {
      if (signal?.aborted === true) return;
      await new Promise<void>((resolve) => {
        sleepers.push({ at: now + ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    },
  };
  return {
    clock,
    settle,
    async pass(ms: number): Promise<void> {
      const end = now + ms;
      for (;;) {
        await settle();
        const next = sleepers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        sleepers.splice(sleepers.indexOf(next), 1);
        now = Math.max(now, next.at);
        next.wake();
      }
      now = end;
    },
  };
}

function submitted(jobId: string): ClearResult {
  return { kind: 'submitted', jobId, cluster: null };
}

function setUp() {
  const time = manualClock();
  const onChange = vi.fn();
  const gate = createSubmitGate({ clock: time.clock, log: silentLog(), stopping: never, onChange });
  const calls: string[] = [];
  const waits: Record<string, (string | null)[]> = {};
  let answer = submitted;

  async function submit(runId: string, over: Partial<Submitter> = {}): Promise<ClearResult> {
    waits[runId] = [];
    return gate.pass(
      {
        runId,
        target: 'partition=main',
        isOwnTarget: false,
        hasWorked: () => false,
        onWait: (refusal: WaitingRefusal | null) => void waits[runId]?.push(refusal?.message ?? null),
        signal: never,
        ...over,
      },
      async () => {
        calls.push(runId);
        return answer(runId);
      },
    );
  }
  return {
    gate,
    time,
    calls,
    waits,
    onChange,
    submit,
    accept: () => (answer = submitted),
    refuse: (cause: RefusalCause, message = `refused: ${cause}`) =>
      (answer = () => ({ kind: 'refused', cause, message })),
  };
}

describe('a submission that Slurm refuses', () => {
  test.each(['limit', 'unavailable'] as const)('temporarily (%s) is retried', async (cause) => {
    const { submit, refuse, accept, time, calls, waits } = setUp();
    refuse(cause);
    const done = submit('a');
    await time.pass(120_000);
    const asked = calls.length;
    expect(asked).toBeGreaterThan(3);
    accept();
    await time.pass(30_000);
    expect(await done).toMatchObject({ kind: 'submitted' });
    expect(calls.length).toBe(asked + 1);
    // said once, and taken back
    expect(waits['a']).toEqual([`refused: ${cause}`, null]);
  });

  test('permanently fails at once', async () => {
    const { submit, refuse, calls } = setUp();
    refuse('request');
    expect(await submit('a')).toMatchObject({ kind: 'refused' });
    expect(calls).toEqual(['a']);
  });

  test.each(['account', 'unknown'] as const)(
    'because of its account or for an unknown reason (%s) fails at once if its target never worked',
    async (cause) => {
      const { submit, refuse, calls } = setUp();
      refuse(cause);
      expect(await submit('a')).toMatchObject({ kind: 'refused', cause });
      expect(calls).toEqual(['a']);
    },
  );

  test('because of an account that worked before is retried', async () => {
    const { submit, refuse, accept, time } = setUp();
    refuse('account');
    const done = submit('a', { hasWorked: () => true });
    await time.pass(3_600_000);
    accept();
    await time.pass(30_000);
    expect(await done).toMatchObject({ kind: 'submitted' });
  });

  test('for an unknown reason is retried for a while, and delays no other run', async () => {
    const { submit, refuse, accept, time, calls } = setUp();
    refuse('unknown');
    const done = submit('a', { hasWorked: () => true });
    await time.pass(60_000);
    accept();
    expect(await submit('b')).toMatchObject({ kind: 'submitted' });
    await time.pass(30_000);
    expect(await done).toMatchObject({ kind: 'submitted' });
    refuse('unknown');
    const lasting = submit('c', { hasWorked: () => true });
    await time.pass(16 * 60_000);
    expect(await lasting).toMatchObject({ kind: 'refused', cause: 'unknown' });
    expect(calls.filter((id) => id === 'c').length).toBeGreaterThan(10);
  });

  test('stops retrying when canceled', async () => {
    const { submit, refuse, time, gate } = setUp();
    refuse('unavailable');
    const canceled = new AbortController();
    const first = submit('a', { signal: canceled.signal });
    const queued = submit('b', { signal: canceled.signal });
    const ended = Promise.allSettled([first, queued]);
    await time.settle();
    canceled.abort(new Error('canceled'));
    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(gate.problem()).toBeNull();
  });
});

describe('twenty runs that are refused', () => {
  test('retry as one, and all follow once the first is accepted', async () => {
    const { submit, refuse, accept, time, calls, gate } = setUp();
    refuse('unavailable', 'Required partition not available');
    const first = submit('0');
    await time.settle();
    const others = Array.from({ length: 19 }, async (_, index) => submit(`${index + 1}`));
    await time.pass(300_000);
    expect(new Set(calls)).toEqual(new Set(['0']));
    expect(gate.problem()).toContain('20 runs wait: Required partition not available');
    accept();
    await time.pass(30_000);
    const answers = await Promise.all([first, ...others]);
    expect(answers.every(({ kind }) => kind === 'submitted')).toBe(true);
    expect(gate.problem()).toBeNull();
  });

  test('close the intake, which reopens when one is accepted', async () => {
    const { submit, refuse, accept, time, gate, onChange } = setUp();
    refuse('unavailable');
    const runs = ['a', 'b'].map(async (id) => submit(id));
    await time.pass(1_000);
    expect(gate.isClosed()).toBe(false);
    runs.push(submit('c'));
    await time.settle();
    expect(gate.isClosed()).toBe(true);
    onChange.mockClear();
    accept();
    await time.pass(30_000);
    await Promise.all(runs);
    expect(gate.isClosed()).toBe(false);
    expect(onChange).toHaveBeenCalled();
  });

  test('reopen the intake after two minutes', async () => {
    const { submit, refuse, time, gate } = setUp();
    refuse('unavailable');
    for (const id of ['a', 'b', 'c']) void submit(id);
    await time.settle();
    expect(gate.isClosed()).toBe(true);
    await time.pass(121_000);
    expect(gate.isClosed()).toBe(false);
  });

  test.each([
    ['a submit limit', 'limit', false],
    ['a partition that their users chose', 'unavailable', true],
  ] as const)('for %s do not close it', async (_, cause, isOwnTarget) => {
    const { submit, refuse, time, gate } = setUp();
    refuse(cause);
    for (const id of ['a', 'b', 'c', 'd']) void submit(id, { isOwnTarget });
    await time.pass(1_000);
    expect(gate.isClosed()).toBe(false);
  });
});
