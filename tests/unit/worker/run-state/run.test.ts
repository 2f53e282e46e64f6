import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { applyEvent, beginRun, type Run, type RunEvent } from '../../../../src/worker/run-state/run.js';
import { someTask } from '../../../support/tasks.js';

const submission = { key: 'k', logFile: '/l', exitRecord: '/e', at: 3 };
const end = {
  outcome: 'succeeded' as const,
  state: { base: 'COMPLETED', flags: [] },
  exitCode: { code: 0, signal: 0 },
  reason: '',
  toldBy: 'squeue' as const,
};
const staged = { args: [], argsHoldToken: false, binds: [], ownDirectories: [], volumes: {} };

function begun(): Run {
  return beginRun({ type: 'accepted', at: 1, task: someTask(), refusal: null });
}

function fold(...events: RunEvent[]): Run {
  return events.reduce(applyEvent, begun());
}

const goodLife: RunEvent[] = [
  { type: 'staging', at: 2 },
  { type: 'staged', at: 2, staged },
  { type: 'submitting', at: 3, submission },
  { type: 'submitted', at: 4, jobId: '7' },
  { type: 'waiting', at: 5, reason: 'Priority' },
  { type: 'started', at: 6 },
  { type: 'log-sent', at: 7, offset: 100 },
  { type: 'job-ended', at: 8, end },
  { type: 'output-done', at: 9, key: 'hook0' },
  { type: 'decided', at: 10, outcome: 'succeeded', reason: null },
];

describe('the life of a run', () => {
  test('goes through the stages of the glossary', () => {
    const stages = goodLife.map((_, index) => fold(...goodLife.slice(0, index + 1)).stage);
    expect([...new Set(stages)]).toEqual(['staging', 'submitting', 'queued', 'running', 'collecting']);
    expect(fold(...goodLife, { type: 'finished', at: 11, told: true })).toMatchObject({
      stage: 'finished',
      outcome: 'succeeded',
      jobId: '7',
      logOffset: 100,
      outputsDone: ['hook0'],
      finishedAt: 11,
    });
  });

  test('an upload is remembered from when it is begun until its output is done', () => {
    const upload = { upload: 'u1' };
    const begun = fold(...goodLife.slice(0, 8), { type: 'output-begun', at: 9, key: 'hook0', upload });
    expect(begun.outputsBegun).toEqual({ hook0: upload });
    expect(applyEvent(begun, { type: 'output-done', at: 10, key: 'hook0' }).outputsBegun).toEqual({});
  });

  test('the piece of log that is on its way is remembered until Girder has it', () => {
    const piece = { before: 3, length: 2, crc: 7 };
    const going = goodLife.slice(0, 7);
    const sending = fold(...going, { type: 'log-sending', at: 8, upTo: null, streams: { 1: 5 }, piece });
    expect(sending).toMatchObject({ pieceOnItsWay: piece, logOnItsWay: null, streamsOnItsWay: { 1: 5 } });
    const sent = applyEvent(sending, { type: 'log-sent', at: 9, offset: null, streams: { 1: 5 } });
    expect(sent).toMatchObject({ logOffset: 100, streamOffsets: { 1: 5 }, pieceOnItsWay: null });
    expect(sent).toMatchObject({ logOnItsWay: null, streamsOnItsWay: {} });
    const both = applyEvent(sent, { type: 'log-sending', at: 10, upTo: 110, piece });
    expect(both).toMatchObject({ logOnItsWay: 110, streamsOnItsWay: {}, streamOffsets: { 1: 5 } });
  });

  test('a finished run holds no token any more', () => {
    const run = fold(...goodLife, { type: 'finished', at: 11, told: true });
    expect(JSON.stringify(run)).not.toContain('SECRET');
  });

  test('a requeued job takes the run back to queued, and started again to running', () => {
    const run = fold(...goodLife.slice(0, 6), { type: 'waiting', at: 9, reason: 'BeginTime' });
    expect(run).toMatchObject({ stage: 'queued', stageSince: 9, waitingReason: 'BeginTime' });
    expect(applyEvent(run, { type: 'started', at: 10 }).stage).toBe('running');
  });

  test('a title that was known stays when a later look finds none', () => {
    const run = fold(
      { type: 'described', at: 1, description: { image: 'i:1', cli: 'c', title: 'Slide 5', user: 'ada' } },
      { type: 'described', at: 2, description: { image: 'i:1', cli: 'c', title: null } },
      { type: 'described', at: 3, description: { title: null, user: null } },
    );
    expect(run.description).toMatchObject({ title: 'Slide 5', user: 'ada' });
    expect(
      applyEvent(run, { type: 'described', at: 4, description: { title: 'Slide 6' } }).description,
    ).toMatchObject({ title: 'Slide 6' });
  });

  test('the first cancel and the first outcome count', () => {
    const run = fold(
      { type: 'cancel-requested', at: 2, by: 'girder' },
      { type: 'cancel-requested', at: 3, by: 'operator' },
    );
    expect(run.cancel).toEqual({ at: 2, by: 'girder' });
    const decided = applyEvent(run, { type: 'decided', at: 4, outcome: 'canceled', reason: null });
    expect(applyEvent(decided, { type: 'decided', at: 5, outcome: 'failed', reason: 'x' })).toBe(decided);
  });

  test('nothing happens to a finished run, and what says nothing new changes nothing', () => {
    const finished = fold(...goodLife, { type: 'finished', at: 11, told: true });
    for (const event of goodLife) expect(applyEvent(finished, event)).toBe(finished);
    const queued = fold(...goodLife.slice(0, 5));
    expect(applyEvent(queued, { type: 'waiting', at: 99, reason: 'Priority' })).toBe(queued);
  });

  test('any order of events gives a run and never an error', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<RunEvent>(...goodLife)), (events) => {
        expect(fold(...events).id).toBe('run-1');
      }),
    );
  });
});
