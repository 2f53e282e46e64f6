import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { MessageRefused, readTask, type Delivery } from '../../../src/celery/messages/read-task.js';
import type { Task } from '../../../src/celery/messages/task.js';
import { buildFollowUps, neverStarted } from '../../../src/girder/canvas/follow-ups.js';
import { readAnalysis } from '../../../src/girder/protocol/read-analysis.js';
import { readGirderJob } from '../../../src/girder/protocol/read-job.js';
import { explainMessage } from '../../../src/worker/explain/explain.js';
import type { Explanation } from '../../../src/worker/explain/explanation.js';
import { createMessageMask, type JsonValue } from '../../../src/base/text/redact.js';
import { renderExplanation } from '../../../src/worker/explain/render.js';
import { amount } from '../../support/lengths.js';
import { someSettings } from '../../support/settings.js';
import { deliveryOf, fixtureNames, readFixture } from '../celery/deliveries.js';

const many = amount(2_000, 20_000);
const limitMs = amount(120_000, 1_200_000);
const captured = fixtureNames('tasks').map((name) => readFixture('tasks', name));

/** What hostile or broken publishers put where something else belongs. */
const evil = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e308,
    '',
    '..',
    '../../etc/passwd',
    '/dev/zero',
    '-x',
    '--slurm_wrap',
    'a\0b',
    '\u001B]0;x\u0007',
    '💥'.repeat(50),
    [],
    {},
    { 'py/tuple': [] },
    { 'py/tuple': 'x' },
    { 'py/id': 0 },
    { 'py/id': 1e9 },
    { 'py/id': -1 },
    { 'py/object': 'os.system', cmd: 'x' },
    { 'py/object': 'girder_worker.docker.transforms.VolumePath' },
    { 'py/object': 'girder_worker.docker.transforms.Connect', _input: null, _output: { 'py/id': 0 } },
    { 'py/repr': 'os/os.system("x")' },
    { 'py/reduce': [{ 'py/type': 'os.system' }, { 'py/tuple': ['x'] }] },
    { 'py/b64': '!!!' },
    JSON.parse('{"__proto__": {"polluted": true}}'),
  ),
  fc.jsonValue({ maxDepth: 3 }),
);

interface Change {
  /** Walks into the document: each number picks a child. */
  path: readonly number[];
  kind: 'replace' | 'remove' | 'rename' | 'add' | 'copy';
  value: unknown;
}

const changes = fc.array(
  fc.record<Change>({
    path: fc.array(fc.nat(40), { minLength: 1, maxLength: 9 }),
    kind: fc.constantFrom('replace', 'remove', 'rename', 'add', 'copy'),
    value: evil,
  }),
  { minLength: 1, maxLength: 4 },
);

function changed(document: unknown, { path, kind, value }: Change): unknown {
  let at = document;
  for (const [depth, pick] of path.entries()) {
    if (typeof at !== 'object' || at === null) return document;
    const holder = at as Record<string, unknown>;
    const keys = Object.keys(holder);
    const key = keys[pick % Math.max(1, keys.length)];
    if (key === undefined) return document;
    if (depth < path.length - 1) {
      at = holder[key];
      continue;
    }
    switch (kind) {
      case 'replace':
        holder[key] = value;
        break;
      case 'remove':
        delete holder[key];
        break;
      case 'rename':
        holder[`x${key}`] = holder[key];
        delete holder[key];
        break;
      case 'add':
        holder['py/object'] = value;
        break;
      case 'copy':
        holder[key] = document;
        return structuredClone(document);
    }
  }
  return document;
}

/** JSON of a document that may hold itself after a careless copy; null for one that cannot be written. */
function written(document: unknown): string | null {
  try {
    return JSON.stringify(document) ?? null;
  } catch {
    return null;
  }
}

/** What follows the task is known, or there is a reason for each that cannot be started; unless all of it is refused. */
function expectFollowUps(task: Task): void {
  try {
    const plans = (['succeeded', 'failed'] as const).map((outcome) => buildFollowUps(task, outcome));
    for (const { messages, errors: refused } of plans) {
      expect(messages.length).toBeLessThanOrEqual(10_000);
      for (const sentence of refused) expect(sentence).not.toContain('FAKETOKEN');
    }
    neverStarted(task);
  } catch (error) {
    expectReason(error);
  }
}

/** Accepted, or refused with a reason; anything else fails the test. Tells which. */
function judge(delivery: Delivery): 'accepted' | 'refused' {
  let task: Task;
  try {
    task = readTask(delivery);
  } catch (error) {
    expect(error).toBeInstanceOf(MessageRefused);
    expectReason(error);
    return 'refused';
  }
  expectFollowUps(task);
  for (const read of [() => readGirderJob(task.headers), () => readAnalysis(task)]) {
    try {
      read();
    } catch (error) {
      expectReason(error);
      return 'refused';
    }
  }
  return 'accepted';
}

const explainOptions = {
  settings: someSettings({ 'dirs.images': '/images', 'dirs.logs': '/logs' }),
  submitScript: {
    path: '/run.slurm',
    takesArgumentsFile: true,
    takesTimeWarning: true,
    writesBeginRecord: true,
    cancelSignal: 'QUIT' as const,
  },
  now: 0,
  isReadableFile: async () => true,
  guardBind: async () => undefined,
};

/** `dsa-slurm explain` says the same, keeps the tokens to itself, and leaves the terminal alone. */
async function expectExplained(delivery: Delivery, verdict: 'accepted' | 'refused'): Promise<void> {
  const explained = await explainMessage(delivery, explainOptions);
  // with an invalid header jobInfoSpec the task still runs, but nothing is reported to Girder
  if (verdict === 'accepted') expect(explained.task).not.toBeNull();
  expect(explained.verdict === 'refused').toBe(explained.reasons.length > 0);
  const mask = createMessageMask(delivery.properties.headers, explained.decoded);
  const shown = mask(explained as unknown as JsonValue);
  expect(JSON.stringify(shown)).not.toContain('FAKETOKEN');
  expect(renderExplanation(shown as unknown as Explanation, { colour: false })).not.toMatch(/[^\P{Cc}\n]/u);
}

/** A sentence for people, and no token in it. */
function expectReason(error: unknown): void {
  if (!(error instanceof DsaSlurmError)) throw error;
  expect(error.code).toBe('message');
  expect(error.message.length).toBeGreaterThan(10);
  expect(error.message).not.toContain('FAKETOKEN');
}

test(
  'a captured message with any change is accepted, or refused with a reason',
  async () => {
    const seen = { accepted: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.nat(captured.length - 1),
        changes,
        fc.constantFrom('body', 'headers', 'properties'),
        async (index, edits, part) => {
          const message = structuredClone(captured[index]);
          if (message === undefined) throw new Error('no such fixture');
          const before: unknown = part === 'body' ? JSON.parse(plainNumbers(message.body)) : message[part];
          const text = written(edits.reduce<unknown>(changed, before));
          if (text === null) return;
          if (part === 'body') message.body = text;
          else message[part] = JSON.parse(text) as Record<string, unknown>;
          const delivery = deliveryOf(message);
          const verdict = judge(delivery);
          seen[verdict] += 1;
          await expectExplained(delivery, verdict);
        },
      ),
      { numRuns: many },
    );
    // the changes neither break everything nor nothing
    expect(seen.accepted).toBeGreaterThan(many / 10);
    expect(seen.refused).toBeGreaterThan(many / 10);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  },
  limitMs,
);

/** Python's literals, which `JSON.parse` does not take. */
function plainNumbers(body: string): string {
  return body.replaceAll(/(?<=[:\s[,])-?(NaN|Infinity)(?=[,\]}])/g, '0');
}

test(
  'follow-ups of any shape are read, or refused with a reason',
  () => {
    const reference = fc.record({ 'py/id': fc.nat(80) });
    const { canvas } = fc.letrec((tie) => ({
      canvas: fc.oneof(
        { maxDepth: 4 },
        reference,
        evil,
        fc.record({
          task: fc.constantFrom('a', 'celery.chain', ''),
          args: fc.constantFrom<unknown>([], [1], { 'py/tuple': [2.5] }, null),
          kwargs: fc.record({ tasks: fc.array(tie('canvas'), { maxLength: 5 }) }),
          options: fc.oneof(
            reference,
            fc.record(
              { headers: tie('canvas'), link: tie('canvas'), task_id: evil, chord: evil, countdown: evil },
              { requiredKeys: [] },
            ),
          ),
          subtask_type: fc.constantFrom(null, 'chain', 'group', 'chord', 'chunks'),
          immutable: fc.boolean(),
        }),
      ),
    }));
    const canvases = fc.array(canvas, { maxLength: 4 });
    fc.assert(
      fc.property(canvases, canvases, canvases, (callbacks, errbacks, chain) => {
        const body = written({
          'py/tuple': [
            { 'py/tuple': [] },
            { image: 'a/b:c', container_args: [] },
            { callbacks, errbacks, chain, chord: null },
          ],
        });
        const message = captured.find(({ headers }) => String(headers['task']).includes('docker_run'));
        if (message === undefined) throw new Error('no such fixture');
        if (body === null) return;
        judge(deliveryOf({ ...message, body }));
      }),
      { numRuns: many },
    );
  },
  limitMs,
);

test(
  'a corrupted body is accepted, or refused with a reason',
  () => {
    fc.assert(
      fc.property(
        fc.nat(captured.length - 1),
        fc.array(fc.record({ at: fc.nat(), bytes: fc.uint8Array({ maxLength: 3 }), drop: fc.nat(3) }), {
          minLength: 1,
          maxLength: 4,
        }),
        (index, cuts) => {
          const message = captured[index];
          if (message === undefined) throw new Error('no such fixture');
          let content = Buffer.from(message.body);
          for (const { at, bytes, drop } of cuts) {
            const place = at % (content.length + 1);
            content = Buffer.concat([content.subarray(0, place), bytes, content.subarray(place + drop)]);
          }
          judge({ ...deliveryOf(message), content });
        },
      ),
      { numRuns: many / 2 },
    );
  },
  limitMs,
);
