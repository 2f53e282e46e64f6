import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createGirderJob, silentGirderJob, type GirderJobOptions } from '../../../../src/girder/jobs/job.js';
import { describeChunk } from '../../../../src/girder/jobs/log-chunk.js';
import { createReportLimits } from '../../../../src/girder/jobs/report-limits.js';
import { readSession } from '../../../../src/girder/api/requests-session.js';
import { isAllowed } from '../../../../src/girder/jobs/transitions.js';
import { sendJson, type Heard } from '../../../support/scripted-http.js';
import { recordedExchanges, setUp } from '../girder-bench.js';

const hour = 60 * 60 * 1_000;
const total = (slept: readonly number[]): number => slept.reduce((sum, ms) => sum + ms, 0);

/** A fake Girder job that enforces Girder's rules. `intercept` may answer a request instead. */
async function bench({
  status = 0,
  handler = 'celery_handler',
  intercept,
  ...others
}: {
  status?: number;
  handler?: string;
  intercept?: (response: ServerResponse, heard: Heard) => boolean;
} & Partial<GirderJobOptions> = {}) {
  const job = { status, handler, log: '', progress: {} as Record<string, string>, history: [] as number[] };
  const base = await setUp((response, heard) => {
    if (intercept?.(response, heard) === true) return;
    const form = new URLSearchParams(heard.body.toString());
    const wanted = form.get('status');
    if (wanted !== null && !isAllowed(job.handler, job.status, Number(wanted))) {
      const message = `Invalid state transition to '${wanted}', Current state is '${job.status}'.`;
      return sendJson(response, { type: 'validation', field: 'status', message }, 400);
    }
    if (wanted !== null) {
      job.status = Number(wanted);
      job.history.push(job.status);
    }
    job.log += form.get('log') ?? '';
    for (const [name, value] of form) if (name.startsWith('progress')) job.progress[name] = value;
    sendJson(response, {
      _id: 'j',
      status: job.status,
      handler: job.handler,
      title: 'T',
      log: [job.log],
    });
  });
  const sent: number[] = [];
  const problems: (string | null)[] = [];
  const onCancel = vi.fn();
  const girderJob = createGirderJob(
    {
      id: 'j',
      url: `${base.origin}/api/v1/job/j`,
      method: 'PUT',
      headers: { 'Girder-Token': 'JOBTOKEN' },
      session: readSession(undefined),
    },
    {
      ...base.setup,
      limits: createReportLimits({ reportMs: 500, concurrency: 2 }),
      tokenExpiresAt: Infinity,
      finishPatienceMs: 24 * hour,
      onCancel,
      onSent: (marks) => sent.push(marks['log'] ?? Number.NaN),
      onProblem: (text) => problems.push(text),
      ...others,
    },
  );
  const forms = () => base.heard.filter(({ method }) => method === 'PUT').map(({ body }) => body.toString());
  return { ...base, job, girderJob, sent, problems, onCancel, forms };
}

const mark = (at: number) => ({ source: 'log', at });

const times = (count: number, answer: (response: ServerResponse) => void) => {
  let left = count;
  return (response: ServerResponse): boolean => {
    left -= 1;
    if (left < 0) return false;
    answer(response);
    return true;
  };
};
const hangUp = (response: ServerResponse): void => {
  response.socket?.destroy();
};
const html = (response: ServerResponse): void => {
  response.writeHead(404, { 'content-type': 'text/html' }).end('<html>nginx</html>');
};

describe('begin', () => {
  it('sets RUNNING as the Python worker does', async () => {
    const { girderJob, heard, job } = await bench();
    expect(await girderJob.begin('running')).toBe('go');
    expect(heard.map(({ method }) => method)).toEqual(['GET', 'PUT']);
    expect(heard[1]).toMatchObject({ method: 'PUT', path: '/api/v1/job/j' });
    expect(heard[1]?.body.toString()).toBe('status=2');
    expect(heard[1]?.headers).toMatchObject({
      'girder-token': 'JOBTOKEN',
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(job.history).toEqual([2]);
    expect(await girderJob.begin('running')).toBe('go');
  });

  it.each([
    ['celery_handler', 1, 'go', [2]],
    ['worker_handler', 1, 'go', [2]],
    ['worker_handler', 0, 'go', [1, 2]],
    ['other', 0, 'go', [2]],
    ['celery_handler', 824, 'canceled', []],
    ['celery_handler', 5, 'canceled', []],
    ['celery_handler', 3, 'over', []],
    ['celery_handler', 4, 'over', []],
    ['celery_handler', 820, 'go', [2]],
    ['celery_handler', 822, 'go', []],
  ])('%s in status %i: %s', async (handler, status, answer, history) => {
    for (const isNew of [false, true]) {
      const { girderJob, job } = await bench({ handler, status, isNew });
      expect(await girderJob.begin('running')).toBe(answer);
      expect(job.history).toEqual(history);
    }
  });

  it('needs one request for a new task', async () => {
    const { girderJob, heard } = await bench({ isNew: true });
    expect(await girderJob.begin('running')).toBe('go');
    expect(heard.map(({ method }) => method)).toEqual(['PUT']);
  });

  it.each([
    ['celery_handler', 0, 'go', [1]],
    ['celery_handler', 2, 'go', []],
    ['worker_handler', 1, 'go', []],
    ['celery_handler', 824, 'canceled', []],
  ] as const)('as QUEUED, %s in status %i: %s', async (handler, status, answer, history) => {
    const { girderJob, job } = await bench({ handler, status });
    expect(await girderJob.begin('queued')).toBe(answer);
    expect(job.history).toEqual(history);
  });

  it('is followed by a single RUNNING once the analysis has started', async () => {
    const { girderJob, job, forms } = await bench();
    await girderJob.begin('queued');
    girderJob.started();
    girderJob.started();
    await vi.waitFor(() => expect(job.status).toBe(2));
    girderJob.started();
    expect(await girderJob.finish('succeeded')).toBe(3);
    expect(forms()).toEqual(['status=1', 'status=2', 'status=3']);
  });

  it('a RUNNING that cannot be set delays nothing', async () => {
    let away = false;
    const { girderJob, job, setup } = await bench({
      intercept: (response) => {
        if (away) hangUp(response);
        return away;
      },
    });
    await girderJob.begin('queued');
    away = true;
    girderJob.started();
    await vi.waitFor(() => expect(setup.clock.slept.length).toBeGreaterThan(3));
    away = false;
    expect(await girderJob.finish('failed')).toBe(4);
    expect(job.status).toBe(4);
  });

  it('waits while Girder is unreachable and reports the problem', async () => {
    const { girderJob, problems, setup } = await bench({ intercept: times(12, hangUp) });
    expect(await girderJob.begin('running')).toBe('go');
    expect(problems).toHaveLength(13);
    expect(problems[0]).toMatch(/^Girder at .* could not be reached/);
    expect(problems.at(-1)).toBeNull();
    expect(Math.max(...setup.clock.slept)).toBeGreaterThan(30_000);
  });

  it.each([
    [401, 'access'],
    [404, 'missing'],
  ])('fails on %i at once', async (status, kind) => {
    const { girderJob, heard } = await bench({
      intercept: (response) => {
        sendJson(response, { type: 'access', message: 'Invalid token scope.' }, status);
        return true;
      },
    });
    const begun = girderJob.begin('running');
    await expect(begun).rejects.toMatchObject({ code: 'girder', kind });
    await expect(begun).rejects.toThrow(/ job\/j /);
    expect(heard).toHaveLength(1);
  });

  it('fails on repeated web pages, but not on the first', async () => {
    const { girderJob, heard, setup } = await bench({ intercept: times(Infinity, html) });
    await expect(girderJob.begin('running')).rejects.toMatchObject({ kind: 'not-girder' });
    expect(total(setup.clock.slept)).toBeGreaterThanOrEqual(hour);
    expect(total(setup.clock.slept)).toBeLessThan(1.2 * hour);
    expect(heard.length).toBeLessThan(40);
  });

  it('stops when its signal aborts', async () => {
    const abort = new AbortController();
    const { girderJob } = await bench({
      intercept: (response) => {
        abort.abort();
        hangUp(response);
        return true;
      },
    });
    await expect(girderJob.begin('running', abort.signal)).rejects.toMatchObject({ kind: 'aborted' });
  });
});

describe('log and progress', () => {
  it('are sent together as the Python worker does, without unchanged fields', async () => {
    const { girderJob, forms } = await bench({ status: 2 });
    girderJob.log('a first report is sent at once');
    await girderJob.flush();
    girderJob.progress({ total: 800, current: 0, message: 'tick 0' });
    girderJob.log('tick 0\n');
    girderJob.log('tick');
    await girderJob.flush();
    girderJob.progress({ total: 800, current: 1, message: 'tick 0' });
    await girderJob.flush();
    for (const girder of ['g3', 'g5']) {
      const [python] = recordedExchanges(`${girder}.job_updates_with_log_and_progress.json`);
      expect(forms().slice(1)).toEqual([python?.body, 'progressCurrent=1']);
    }
  });

  it.each([
    ['its answer', true],
    ['the report itself', false],
  ])('are there once when %s is lost, even where the log repeats itself', async (_what, arrives) => {
    let puts = 0;
    const { girderJob, job } = await bench({
      status: 2,
      intercept(response, { method, body }) {
        if (method === 'PUT') puts += 1;
        if (method !== 'PUT' || puts !== 2) return false;
        if (arrives) job.log += new URLSearchParams(body.toString()).get('log') ?? '';
        response.socket?.destroy();
        return true;
      },
    });
    await girderJob.begin('running');
    for (let n = 0; n < 3; n += 1) {
      girderJob.log('again\n');
      await girderJob.flush();
    }
    expect(job.log).toBe('again\nagain\nagain\n');
    expect(puts).toBe(arrives ? 3 : 4);
  });

  it('pass the length of the log to onSending, to recognize the chunk after a crash', async () => {
    const calls: unknown[] = [];
    const { girderJob } = await bench({ status: 2, onSending: async (...all) => void calls.push(all) });
    girderJob.log('nobody has read the log yet', mark(7));
    await girderJob.flush();
    await girderJob.read();
    girderJob.log('words of ours');
    girderJob.log(', a line', mark(8));
    girderJob.log(', a stream', { source: '0', at: 5 });
    await girderJob.flush();
    girderJob.log('another', mark(9));
    await girderJob.flush();
    girderJob.log('text that need not be recognized later');
    await girderJob.flush();
    expect(calls).toEqual([
      [{ log: 7 }, describeChunk('nobody has read the log yet', null)],
      [{ log: 8, '0': 5 }, describeChunk('words of ours, a line, a stream', 27)],
      [{ log: 9 }, describeChunk('another', 58)],
    ]);
  });

  it('are sent once per interval, with everything that came meanwhile', async () => {
    const { girderJob, forms, setup, job, sent } = await bench({ status: 2 });
    for (let n = 1; n <= 100; n += 1) {
      girderJob.log(`line ${n}\n`, mark(n));
      girderJob.progress({ current: n / 100 });
      if (n === 50) await vi.waitFor(() => expect(forms().length).toBeGreaterThanOrEqual(1));
    }
    await vi.waitFor(() => expect(sent.at(-1)).toBe(100));
    expect(job.log).toBe(Array.from({ length: 100 }, (_, n) => `line ${n + 1}\n`).join(''));
    expect(job.progress['progressCurrent']).toBe('1');
    expect(forms().length).toBeLessThanOrEqual(4);
    expect(setup.clock.slept.length).toBeGreaterThanOrEqual(1);
    expect(setup.clock.slept.every((ms) => ms > 0 && ms <= 500)).toBe(true);
    expect(sent).toEqual([...sent].sort((a, b) => a - b));
  });

  it('are split into chunks without losing a character', async () => {
    const { girderJob, job, forms, sent } = await bench({ status: 2 });
    const text = `a${'😀ü\n'.repeat(50_000)}`;
    girderJob.log(text, mark(7));
    await girderJob.flush();
    expect(job.log).toBe(text);
    expect(forms().length).toBeGreaterThan(5);
    for (const form of forms())
      expect(new URLSearchParams(form).get('log')?.length).toBeLessThanOrEqual(1 << 13);
    expect(sent).toEqual([7]);
  });

  it('are stripped of characters that MongoDB rejects', async () => {
    const { girderJob, job } = await bench({ status: 2 });
    girderJob.log('a\0b\ud800c\u001b[31mred\r\n');
    girderJob.progress({ message: 'x\ny', total: Number.NaN, current: null });
    await girderJob.flush();
    expect(job.log).toBe('ab\ufffdc\u001b[31mred\r\n');
    expect(job.progress).toEqual({ progressMessage: 'x y' });
  });

  it('wait while Girder is unreachable; overflow is dropped, and the log says so', async () => {
    let away = true;
    const { girderJob, job, sent } = await bench({
      status: 2,
      intercept: (response) => {
        if (away) hangUp(response);
        return away;
      },
    });
    girderJob.log('the very first\n', mark(1));
    await nextTurn();
    const line = `${'x'.repeat(9_999)}\n`;
    for (let n = 2; n <= 300; n += 1) girderJob.log(line, mark(n));
    girderJob.log('the last\n', mark(301));
    away = false;
    await girderJob.flush();
    expect(job.log).toMatch(/^the very first\n\n\[/);
    const lost = Number(/\[(\d+) characters of the log are missing here/.exec(job.log)?.[1]);
    const kept = job.log.replace(/\n\[\d+ characters[^\]]*\]\n/, '');
    expect(kept.length + lost).toBe(299 * 10_000 + 'the very first\nthe last\n'.length);
    expect(kept.length).toBeLessThan(1.2 * (1 << 20));
    expect(job.log.endsWith('the last\n')).toBe(true);
    expect(sent.at(-1)).toBe(301);
  });

  it('lose nothing if the caller awaits waitForRoom', async () => {
    const { girderJob, job } = await bench({ status: 2 });
    const line = `${'x'.repeat(99_999)}\n`;
    for (let n = 0; n < 12; n += 1) {
      girderJob.log(line);
      await girderJob.waitForRoom();
    }
    await girderJob.flush();
    expect(job.log).toBe(line.repeat(12));
  });

  it('continue after a chunk that Girder rejects', async () => {
    const { girderJob, job, sent } = await bench({
      status: 2,
      intercept: (response, { body }) => {
        const bad = body.toString().includes('bad');
        if (bad) sendJson(response, { type: 'rest', message: 'Bad log.' }, 400);
        return bad;
      },
    });
    girderJob.log('bad', mark(1));
    await girderJob.flush();
    girderJob.log('good', mark(2));
    await girderJob.flush();
    expect(job.log).toBe('good');
    expect(sent).toEqual([1, 2]);
  });

  it('continue after a chunk that causes a 500, which is distinguished from a broken Girder', async () => {
    let ill = 20;
    const { girderJob, job, sent, heard } = await bench({
      status: 2,
      intercept: (response, { body }) => {
        ill -= 1;
        const breaks = ill > 0 || body.toString().includes('poison');
        if (breaks) sendJson(response, { type: 'internal', message: 'An unexpected error occurred.' }, 500);
        return breaks;
      },
    });
    girderJob.log('waited for', mark(1));
    await girderJob.flush();
    girderJob.log('poison', mark(2));
    await girderJob.flush();
    girderJob.log(', and good', mark(3));
    await girderJob.flush();
    expect(job.log).toBe('waited for, and good');
    expect(sent).toEqual([1, 2, 3]);
    expect(heard.length).toBeLessThan(40);
  });

  it('stop permanently when the token has expired', async () => {
    const { girderJob, heard } = await bench({
      intercept: (response) => {
        sendJson(response, { type: 'access', message: 'Invalid or expired token.' }, 401);
        return true;
      },
    });
    girderJob.log('a');
    await girderJob.flush();
    girderJob.log('b');
    girderJob.progress({ current: 1 });
    await girderJob.flush();
    await girderJob.waitForRoom();
    expect(heard).toHaveLength(1);
    await expect(girderJob.finish('succeeded')).rejects.toMatchObject({ code: 'girder', kind: 'access' });
  });

  it('are dropped after an hour of web pages, and the log says so afterwards', async () => {
    let away = true;
    const { girderJob, job, setup } = await bench({
      status: 2,
      intercept: (response) => {
        if (away) html(response);
        return away;
      },
    });
    const line = `${'x'.repeat(9_999)}\n`;
    for (let n = 0; n < 30; n += 1) girderJob.log(line);
    await girderJob.flush();
    // everything that waits is dropped together, not chunk by chunk
    expect(total(setup.clock.slept)).toBeLessThan(1.2 * hour);
    away = false;
    girderJob.log('back\n');
    await girderJob.flush();
    expect(job.log).toMatch(/\[300000 characters of the log are missing here.*\]\nback\n$/);
  });

  it('stop at close', async () => {
    const { girderJob, heard } = await bench({ intercept: times(Infinity, hangUp) });
    girderJob.log('a');
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(1));
    girderJob.close();
    await girderJob.flush();
    const count = heard.length;
    girderJob.log('b');
    for (let n = 0; n < 20; n += 1) await nextTurn();
    expect(heard.length).toBeLessThanOrEqual(count + 1);
  });

  it('keep their interval when the wall clock is set back by hours', async () => {
    const { girderJob, forms, setup } = await bench({ status: 2 });
    girderJob.log('one\n');
    await vi.waitFor(() => expect(forms()).toHaveLength(1));
    setup.clock.setBack(3 * hour);
    girderJob.log('two\n');
    await vi.waitFor(() => expect(forms()).toHaveLength(2));
    expect(total(setup.clock.slept)).toBeLessThanOrEqual(500);
  });

  it('to a slow server do not delay reports to other servers', async () => {
    const reporting = createReportLimits({ reportMs: 100, concurrency: 2 });
    const never = new Promise<void>(() => undefined);
    for (let n = 0; n < 9; n += 1) void reporting.run('http://slow', async () => never);
    expect(await reporting.run('http://healthy', async () => 'heard')).toBe('heard');
  });

  it('of many runs take turns', async () => {
    const reporting = createReportLimits({ reportMs: 100, concurrency: 2 });
    let now = 0;
    let most = 0;
    const task = async () => {
      now += 1;
      most = Math.max(most, now);
      await nextTurn();
      now -= 1;
    };
    await Promise.all(Array.from({ length: 50 }, async () => reporting.run('http://a', task)));
    expect(most).toBe(2);
  });
});

describe('a cancel in Girder', () => {
  it.each([824, 5])('is reported once, from any response (%i)', async (status) => {
    const { girderJob, job, onCancel } = await bench({ status: 2 });
    await girderJob.begin('running');
    job.status = status;
    girderJob.log('a');
    await girderJob.flush();
    girderJob.log('b');
    await girderJob.flush();
    expect(onCancel).toHaveBeenCalledTimes(1);
  });

  it('is not reported for a CANCELED that finish sets', async () => {
    const { girderJob, onCancel, job } = await bench({ status: 2 });
    expect(await girderJob.finish('canceled')).toBe(5);
    expect(job.history).toEqual([5]);
    expect(onCancel).not.toHaveBeenCalled();
  });
});

describe('finish', () => {
  it.each([
    ['celery_handler', 2, 'succeeded', 3, [3]],
    ['celery_handler', 2, 'failed', 4, [4]],
    ['celery_handler', 0, 'failed', 4, [1, 4]],
    ['worker_handler', 0, 'failed', 4, [1, 4]],
    ['other', 0, 'failed', 4, [1, 4]],
    ['celery_handler', 0, 'canceled', 5, [5]],
    ['worker_handler', 0, 'canceled', 5, [1, 5]],
    ['celery_handler', 824, 'succeeded', 5, [5]],
    ['celery_handler', 824, 'failed', 4, [4]],
    ['celery_handler', 824, 'canceled', 5, [5]],
    ['celery_handler', 5, 'succeeded', 5, []],
    ['celery_handler', 3, 'failed', 3, []],
    ['celery_handler', 823, 'canceled', 4, [4]],
    ['celery_handler', 821, 'succeeded', 4, [4]],
    ['celery_handler', 822, 'succeeded', 3, [823, 3]],
  ] as const)('%s in status %i, %s: %i', async (handler, status, outcome, final, history) => {
    const { girderJob, job } = await bench({ handler, status });
    expect(await girderJob.finish(outcome)).toBe(final);
    expect(job.history).toEqual(history);
  });

  it('sends the rest of the log with the status', async () => {
    const { girderJob, forms } = await bench();
    await girderJob.begin('running');
    girderJob.log('Why it failed.\n');
    await girderJob.finish('failed');
    expect(forms()).toEqual(['status=2', 'log=Why+it+failed.%0A&status=4']);
  });

  it('reads the status again when the job has changed meanwhile', async () => {
    const { girderJob, job } = await bench();
    await girderJob.begin('running');
    job.status = 824;
    expect(await girderJob.finish('succeeded')).toBe(5);
    expect(job.history).toEqual([2, 5]);
  });

  it('sends the rest of the log once when Girder refuses the status with it', async () => {
    const { girderJob, job } = await bench();
    await girderJob.begin('running');
    job.status = 824;
    girderJob.log('The last line.\n');
    expect(await girderJob.finish('succeeded')).toBe(5);
    expect(job).toMatchObject({ log: 'The last line.\n', history: [2, 5] });
  });

  it('sends the rest of the log once when the answer is lost', async () => {
    let wasLost = false;
    const { girderJob, job } = await bench({
      isNew: true,
      intercept: (response, { body }) => {
        if (wasLost || !body.toString().includes('last')) return false;
        wasLost = true;
        job.log += 'The last line.\n';
        job.status = 3;
        job.history.push(3);
        hangUp(response);
        return true;
      },
    });
    await girderJob.begin('running');
    girderJob.log('The last line.\n');
    expect(await girderJob.finish('succeeded')).toBe(3);
    expect(job).toMatchObject({ log: 'The last line.\n', history: [2, 3] });
  });

  it('retries until Girder answers', async () => {
    let failures = 0;
    const { girderJob, job, problems } = await bench({
      status: 2,
      intercept: (response) => {
        failures += 1;
        if (failures > 30) return false;
        if (failures % 3 === 0) hangUp(response);
        else if (failures % 3 === 1) html(response);
        else sendJson(response, { message: 'down' }, 500);
        return true;
      },
    });
    expect(await girderJob.finish('succeeded')).toBe(3);
    expect(job.history).toEqual([3]);
    expect(problems.at(-1)).toBeNull();
  });

  it('gives up on a server that is not Girder after a day, with growing pauses', async () => {
    const { girderJob, setup, heard, problems } = await bench({
      status: 2,
      intercept: times(Infinity, html),
    });
    await expect(girderJob.finish('succeeded')).rejects.toMatchObject({ kind: 'not-girder' });
    expect(total(setup.clock.slept)).toBeGreaterThanOrEqual(24 * hour);
    expect(total(setup.clock.slept)).toBeLessThan(24.5 * hour);
    expect(heard.length).toBeLessThan(300);
    expect(problems.at(-1)).toBeNull();
  });

  it('gives up on an unreachable Girder once the token has certainly expired', async () => {
    const tokenExpiresAt = 1_800_000_000_000 + 12 * hour;
    const { girderJob, setup } = await bench({
      status: 2,
      tokenExpiresAt,
      intercept: times(Infinity, hangUp),
    });
    await expect(girderJob.finish('succeeded')).rejects.toMatchObject({ kind: 'unreachable' });
    expect(total(setup.clock.slept)).toBeGreaterThanOrEqual(12 * hour);
    expect(total(setup.clock.slept)).toBeLessThan(12.1 * hour);
  });

  it('waits for a short outage even after the token has expired', async () => {
    const { girderJob } = await bench({ status: 2, tokenExpiresAt: 0, intercept: times(5, hangUp) });
    expect(await girderJob.finish('succeeded')).toBe(3);
  });

  it('succeeds if only the response to the final status was lost', async () => {
    let lost = false;
    const { girderJob, job } = await bench({
      status: 2,
      intercept: (response, { body }) => {
        if (body.toString() !== 'status=3' || lost) return false;
        lost = true;
        job.status = 3;
        hangUp(response);
        return true;
      },
    });
    expect(await girderJob.finish('succeeded')).toBe(3);
  });

  it('gives up if someone else keeps changing the status', async () => {
    const { girderJob, heard } = await bench({
      status: 2,
      intercept: (response, { method }) => {
        if (method === 'GET') return false;
        sendJson(response, { type: 'validation', field: 'status', message: 'Invalid state transition' }, 400);
        return true;
      },
    });
    await expect(girderJob.finish('failed')).rejects.toThrow(/The status of Girder job j could not be set/);
    expect(heard.length).toBeLessThan(30);
  });

  it.each([403, 404])('fails on %i', async (status) => {
    const { girderJob } = await bench({
      intercept: (response) => {
        sendJson(response, { type: 'access', message: 'No.' }, status);
        return true;
      },
    });
    await expect(girderJob.finish('failed')).rejects.toMatchObject({ status });
  });
});

it('read returns the title', async () => {
  const { girderJob } = await bench({ status: 2 });
  expect(await girderJob.read()).toMatchObject({
    status: 2,
    handler: 'celery_handler',
    title: 'T',
  });
});

it('a task without a Girder job reports nothing', async () => {
  const job = silentGirderJob();
  expect(await job.begin('running')).toBe('go');
  job.log('x', mark(1));
  job.progress({ current: 1 });
  await job.waitForRoom();
  await job.flush();
  expect(await job.finish('failed')).toBe(4);
  job.close();
});
