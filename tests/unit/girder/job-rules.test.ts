import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGirderJob, type InitialStatus, type FinalOutcome } from '../../../src/girder/jobs/job.js';
import { createReportLimits } from '../../../src/girder/jobs/report-limits.js';
import { readSession } from '../../../src/girder/api/requests-session.js';
import { sendJson } from '../../support/scripted-http.js';
import { setUp } from './girder-bench.js';

/** Responses of a real Girder by `handler from->to`: the HTTP status, and the body of a rejection. */
const measured = new Map(
  Object.entries(
    JSON.parse(
      readFileSync(new URL('../../fixtures/contract/transitions.json', import.meta.url), 'utf8'),
    ) as Record<string, [number, unknown]>,
  ).filter(([key]) => key.includes('->')),
);
const handlers = ['celery_handler', 'worker_handler', 'other'];
const statuses = [0, 1, 2, 3, 4, 5, 820, 821, 822, 823, 824];
const outcomes: readonly FinalOutcome[] = ['succeeded', 'failed', 'canceled'];
const final = [3, 4, 5];

const allows = (handler: string, from: number, to: number): boolean =>
  measured.get(`${handler} ${from}->${to}`)?.[0] === 200;

/** Whether Girder's transitions lead from one status to another. */
function leads(handler: string, from: number, to: number): boolean {
  const seen = new Set([from]);
  for (const at of seen) for (const next of statuses) if (allows(handler, at, next)) seen.add(next);
  return seen.has(to);
}

/**
 * A fake Girder that answers by the measured table. `meddle` is another party: the status that it sets before the n-th request,
 * if Girder allows that.
 */
async function scriptedGirder() {
  const job = { handler: '', status: 0, reported: -1, meddle: [] as (number | null)[] };
  /** Transitions that were requested although the last response showed that they are not allowed. */
  const illegal: string[] = [];
  const history: number[] = [];
  const base = await setUp((response, heard) => {
    const other = job.meddle.shift() ?? null;
    if (other !== null && allows(job.handler, job.status, other)) job.status = other;
    const wanted = new URLSearchParams(heard.body.toString()).get('status');
    if (wanted !== null) {
      const to = Number(wanted);
      if (job.reported === -1 || !allows(job.handler, job.reported, to)) {
        illegal.push(`${job.handler} ${job.reported}->${to}`);
      }
      const [code = 0, refusal] = measured.get(`${job.handler} ${job.status}->${to}`) ?? [];
      if (code !== 200) return sendJson(response, refusal, code);
      if (to !== job.status) history.push(to);
      job.status = to;
    }
    job.reported = job.status;
    sendJson(response, { _id: 'j', status: job.status, handler: job.handler });
  });
  const limits = createReportLimits({ reportMs: 1, concurrency: 4 });
  return {
    job,
    illegal,
    history,
    open(handler: string, status: number, meddle: readonly (number | null)[] = []) {
      Object.assign(job, { handler, status, reported: -1, meddle: [...meddle] });
      history.length = 0;
      const ref = {
        id: 'j',
        url: `${base.origin}/api/v1/job/j`,
        method: 'PUT',
        headers: {},
        session: readSession(undefined),
      };
      return createGirderJob(ref, {
        ...base.setup,
        limits,
        tokenExpiresAt: Infinity,
        finishPatienceMs: 0,
      });
    },
  };
}

const everyStart = handlers.flatMap((handler) => statuses.map((status) => [handler, status] as const));

describe('with the transitions measured on Girder 3 and 5', () => {
  it('begin sends allowed transitions only, from every status', async () => {
    const girder = await scriptedGirder();
    for (const as of ['running', 'queued'] as const) {
      const target = as === 'running' ? 2 : 1;
      for (const [handler, status] of everyStart) {
        const answer = await girder.open(handler, status).begin(as);
        const where = `${handler} ${status} as ${as}`;
        if (status === 5 || status === 824) expect(answer, where).toBe('canceled');
        else if (final.includes(status)) expect(answer, where).toBe('over');
        else expect(answer, where).toBe('go');
        const reached = answer === 'go' && leads(handler, status, target) ? target : status;
        expect(girder.job.status, where).toBe(reached);
      }
    }
    expect(girder.illegal).toEqual([]);
  });

  it('finish sends allowed transitions only, from every status, and gets as close to the outcome as Girder allows', async () => {
    const girder = await scriptedGirder();
    for (const outcome of outcomes) {
      const finalStatus = { succeeded: 3, failed: 4, canceled: 5 }[outcome];
      for (const [handler, status] of everyStart) {
        const where = `${handler} ${status} ${outcome}`;
        const ended = girder.open(handler, status).finish(outcome);
        const target = status === 824 && finalStatus === 3 ? 5 : finalStatus;
        const expected = final.includes(status)
          ? status
          : [target, 4].find((to) => leads(handler, status, to));
        if (expected === undefined) {
          await expect(ended, where).rejects.toThrow(/could not be set/);
          continue;
        }
        expect(await ended, where).toBe(expected);
        expect(girder.job.status, where).toBe(expected);
      }
    }
    expect(girder.illegal).toEqual([]);
  });

  it('an analysis that starts while its Girder job is QUEUED becomes RUNNING, from every status', async () => {
    const girder = await scriptedGirder();
    for (const [handler, status] of everyStart) {
      const girderJob = girder.open(handler, status);
      if ((await girderJob.begin('queued')) !== 'go') continue;
      girderJob.started();
      girderJob.started();
      expect([3, 4], `${handler} ${status}`).toContain(await girderJob.finish('succeeded').catch(() => 4));
    }
    expect(girder.illegal).toEqual([]);
  });

  it('if another party changes the status at any moment, only allowed transitions are sent, and the end is final', async () => {
    const girder = await scriptedGirder();
    const meddling = fc.array(fc.option(fc.constantFrom(...statuses), { freq: 2 }), { maxLength: 6 });
    const life = fc.record({
      start: fc.constantFrom(...everyStart),
      as: fc.constantFrom<InitialStatus>('running', 'queued'),
      outcome: fc.constantFrom(...outcomes),
      meddling,
    });
    await fc.assert(
      fc.asyncProperty(life, async ({ start: [handler, status], as, outcome, meddling: meddle }) => {
        const girderJob = girder.open(handler, status, meddle);
        const begun = await girderJob.begin(as);
        if (begun === 'go') girderJob.started();
        const ended = await girderJob.finish(begun === 'go' ? outcome : 'canceled').catch(() => null);
        expect(girder.illegal).toEqual([]);
        // the only case without an end: Girder allows no transition from the status that the other party set
        if (ended === null) expect(leads(handler, girder.job.status, 4)).toBe(false);
        else expect([ended, final.includes(ended)]).toEqual([girder.job.status, true]);
      }),
      { numRuns: 600 },
    );
  });

  it('after a rejection caused by another party, a new path is found', async () => {
    const girder = await scriptedGirder();
    // canceled by its owner between reading and writing
    const girderJob = girder.open('celery_handler', 2, [null, 824]);
    await girderJob.read();
    expect(await girderJob.finish('succeeded')).toBe(5);
    expect(girder.history).toEqual([5]);
  });
});

describe('a cancel by the owner', () => {
  interface Click {
    handler: string;
    status_before: number;
    status_after: number;
  }
  const clicks = JSON.parse(
    readFileSync(new URL('../../fixtures/contract/cancel_answers.json', import.meta.url), 'utf8'),
  ) as Click[];

  it.each(clicks)(
    'cancel of a $handler in status $status_before: the run ends as Girder lets it',
    async (click) => {
      const girder = await scriptedGirder();
      const girderJob = girder.open(click.handler, click.status_after);
      const begun = await girderJob.begin('running');
      const isCanceled = [5, 824].includes(click.status_after);
      expect(begun).toBe(isCanceled ? 'canceled' : 'go');
      if (isCanceled) expect(await girderJob.finish('canceled')).toBe(5);
      expect(girder.illegal).toEqual([]);
    },
  );
});
