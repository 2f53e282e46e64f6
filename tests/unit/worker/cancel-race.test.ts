import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { CommandResult } from '../../../src/base/command.js';
import { analysisMessage } from '../../../src/sandbox/producer/message.js';
import { jobName } from '../../../src/slurm/job-identity.js';
import type { CancelSource, RunEvent } from '../../../src/worker/run-state/run.js';
import { sendJson, startScriptedServer } from '../../support/scripted-http.js';
import { failed, printed, squeueLine, type Call } from '../slurm/fake-run.js';
import { openProcessRunBench, type ProcessRunBench } from './process-run-bench.js';

/** An id of Girder's. */
const id = (digit: string): string => digit.repeat(24);

let girder: Awaited<ReturnType<typeof startScriptedServer>>;
/** Called for each request to Girder, before its answer. */
let onRequest: (method: string, path: string) => void = () => undefined;

beforeAll(async () => {
  girder = await startScriptedServer((response, { method, path }) => {
    onRequest(method, path);
    if (path.endsWith('/download')) return response.end('slide');
    return sendJson(response, { _id: id('f'), name: 'slide', size: 5, login: 'who' });
  });
});

afterAll(async () => girder.close());

/** An analysis with an input and two outputs. */
function task() {
  const site = { apiUrl: girder.origin, userId: id('e'), userToken: () => 't', clientToken: 'c' };
  const args = [
    'Copy',
    { file: id('f'), name: 'slide' },
    { output: 'one', toFolder: id('d') },
    { output: 'two', toFolder: id('d') },
  ];
  const spec = { method: 'PUT', url: girder.origin, reference: id('a'), headers: {}, logPrint: true };
  const { headers, ...message } = analysisMessage(
    { spelling: 'docker', image: 'a/b:c', args, title: 't', taskId: 'run-1' },
    site,
    { id: id('a'), jobInfoSpec: spec },
  );
  const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
  const body = JSON.stringify({ 'py/tuple': [{ 'py/tuple': message.args }, message.kwargs, embed] });
  return { name: message.task, headers, body };
}

interface Cancel {
  /** Number of events before the cancel. */
  after: number;
  by: CancelSource;
}

/** Processes a run from start to end with cancels on the way, and returns everything that happened. */
async function runWithCancels(cancels: readonly Cancel[]) {
  const happened: string[] = [];
  const events: RunEvent['type'][] = [];
  let state = '';
  let asked = 0;
  let bench: ProcessRunBench | null = null;
  const happens = (what: string): void => {
    if (bench === null) return;
    happened.push(what);
    for (const { after, by } of cancels) if (after === happened.length) void bench.cancel(by);
  };

  async function slurm(call: Call): Promise<CommandResult> {
    // most polls of the tracker have no effect
    if (call.file !== 'squeue' || state === 'RUNNING') happens(call.file);
    switch (call.file) {
      case 'sbatch': {
        state = 'RUNNING';
        const volume = bench?.run()?.staged?.volumes['default']?.host ?? '';
        for (const name of ['one', 'two']) await writeFile(join(volume, name), name);
        happens('sbatch answers');
        return printed('42\n');
      }
      case 'scancel':
        if (state === 'RUNNING') state = 'CANCELLED';
        return printed('');
      case 'squeue': {
        if (state === '') return printed('');
        asked += 1;
        if (asked > 3 && state === 'RUNNING') state = 'COMPLETED';
        return printed(squeueLine(call, { JobArrayID: '42', State: state, Name: jobName('run-1') }));
      }
      default:
        return failed(`no ${call.file} is expected here`);
    }
  }

  bench = await openProcessRunBench({
    task: task(),
    slurm,
    onEvent(event) {
      events.push(event.type);
      happens(event.type);
    },
    girderJob: {
      async begin() {
        happens('begin');
        return 'go';
      },
      async finish() {
        happens('finish');
        return 0;
      },
    },
  });
  await writeFile(join(bench.dir, 'a_b_c.sif'), '');
  onRequest = (method, path) => happens(`${method} ${path}`);
  try {
    const run = await bench.finished();
    const left = (await readdir(bench.dir)).filter((name) => name === 'dsa-slurm-run-1');
    return { run, happened, events, left, state, results: bench.results };
  } finally {
    await bench.close();
  }
}

test('without a cancel the run succeeds and uploads both outputs', async () => {
  const { run, happened, left, results } = await runWithCancels([]);
  expect(run).toMatchObject({ outcome: 'succeeded', reason: null });
  expect(happened.filter((what) => what === 'POST /file')).toHaveLength(2);
  expect([left, results]).toEqual([[], [{ status: 'SUCCESS', children: [] }]]);
});

test('for any number of cancels at any time, the run ends once, and canceled unless its outcome was decided before', async () => {
  const length = (await runWithCancels([])).happened.length;
  const by = fc.constantFrom<CancelSource>('girder', 'operator', 'celery', 'termination');
  const cancel = fc.record({ after: fc.integer({ min: 1, max: length }), by });
  await fc.assert(
    fc.asyncProperty(fc.array(cancel, { minLength: 1, maxLength: 3 }), async (cancels) => {
      const { run, happened, events, left, state, results } = await runWithCancels(cancels);
      expect(run?.stage).toBe('finished');
      for (const once of ['decided', 'finish', 'finished']) {
        expect(happened.filter((what) => what === once)).toHaveLength(1);
      }
      const isCanceled = events.includes('cancel-requested') && run?.cancel !== null;
      expect(run?.outcome).toBe(isCanceled ? 'canceled' : 'succeeded');
      expect(results).toMatchObject([{ status: isCanceled ? 'REVOKED' : 'SUCCESS' }]);
      expect([left, state === 'RUNNING']).toEqual([[], false]);
      if (!isCanceled) return;
      const after = happened.slice(Math.min(...cancels.map((each) => each.after)));
      expect(after.filter((what) => what === 'POST /file' || what === 'sbatch')).toEqual([]);
    }),
    { numRuns: 75 },
  );
}, 60_000);
