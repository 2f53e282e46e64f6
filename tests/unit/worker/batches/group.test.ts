import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { gapMs, groupIntoBatches, maxGapMs } from '../../../../src/worker/batches/group.js';
import { openBatchRun, someBatchRun } from './some-runs.js';

const minute = 60_000;
const ids = (runs: Parameters<typeof groupIntoBatches>[0]) =>
  groupIntoBatches(runs).map(({ slides }) => slides.map((slide) => slide.runs.map(({ id }) => id).join('>')));

describe('a batch', () => {
  it('has runs of one key that arrive close together', () => {
    const runs = [
      someBatchRun({ id: 'a', acceptedAt: 0 }),
      someBatchRun({ id: 'b', acceptedAt: 5 * minute }),
      someBatchRun({ id: 'c', acceptedAt: 5 * minute, key: 'bob cells' }),
      someBatchRun({ id: 'd', acceptedAt: 40 * minute }),
    ];
    expect(ids(runs)).toEqual([['d'], ['c'], ['a', 'b']]);
  });

  it('has runs of one user', () => {
    const runs = [
      someBatchRun({ id: 'a', user: 'ada', acceptedAt: 0 }),
      someBatchRun({ id: 'b', user: 'bob', acceptedAt: minute }),
      someBatchRun({ id: 'c', user: 'ada', acceptedAt: 2 * minute }),
    ];
    expect(ids(runs)).toEqual([['b'], ['a', 'c']]);
  });

  it('is one while the users of some runs are not known yet', () => {
    const runs = [
      openBatchRun({ id: 'a', user: null, acceptedAt: 0 }),
      openBatchRun({ id: 'b', user: 'ada', acceptedAt: 1 }),
      openBatchRun({ id: 'c', user: null, acceptedAt: 2 }),
      openBatchRun({ id: 'd', user: 'bob', acceptedAt: 3 }),
    ];
    expect(ids(runs)).toEqual([['d'], ['a', 'b', 'c']]);
  });

  it('continues while a slide of it runs, because Girder may publish slide by slide', () => {
    const runs = [
      someBatchRun({ id: 'a', acceptedAt: 0, finishedAt: 180 * minute }),
      someBatchRun({ id: 'b', acceptedAt: 181 * minute, finishedAt: 300 * minute }),
      openBatchRun({ id: 'c', acceptedAt: 301 * minute }),
    ];
    expect(ids(runs)).toEqual([['a', 'b', 'c']]);
  });

  it('does not wait for a slide for ever', () => {
    const runs = [openBatchRun({ id: 'a' }), openBatchRun({ id: 'b', acceptedAt: maxGapMs + 1 })];
    expect(ids(runs)).toEqual([['b'], ['a']]);
  });

  it('keeps a retry with its slide, whenever it was started', () => {
    const runs = [
      someBatchRun({ id: 'a', outcome: 'failed' }),
      someBatchRun({ id: 'b', acceptedAt: minute }),
      someBatchRun({ id: 'a2', retryOf: 'a', acceptedAt: 5_000 * minute, outcome: 'failed' }),
      openBatchRun({ id: 'a3', retryOf: 'a2', acceptedAt: 9_000 * minute }),
    ];
    expect(ids(runs)).toEqual([['a>a2>a3', 'b']]);
  });

  it('takes the retry of a forgotten run for a slide of its own', () => {
    expect(ids([someBatchRun({ id: 'a2', retryOf: 'a' })])).toEqual([['a2']]);
  });
});

const anyRuns = fc
  .array(
    fc.record({
      key: fc.constantFrom('ada', 'bob'),
      minutes: fc.nat(3_000),
      took: fc.option(fc.nat(200)),
      retries: fc.option(fc.nat(20)),
    }),
    { maxLength: 40 },
  )
  .map((all) =>
    all.map(({ key, minutes, took, retries }, index) =>
      someBatchRun({
        id: `run-${index}`,
        key,
        acceptedAt: minutes * minute,
        finishedAt: took === null ? null : (minutes + took) * minute,
        stage: took === null ? 'running' : 'finished',
        retryOf: retries === null ? null : `run-${retries}`,
      }),
    ),
  );

describe('batches of any runs', () => {
  it('contain each run exactly once', () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        // a cycle of retries cannot happen, and has no first run
        const acyclic = runs.map((run) =>
          run.retryOf !== null && Number(run.retryOf.slice(4)) >= Number(run.id.slice(4))
            ? { ...run, retryOf: null }
            : run,
        );
        const grouped = groupIntoBatches(acyclic).flatMap(({ slides }) =>
          slides.flatMap((slide) => slide.runs),
        );
        expect(grouped.map(({ id }) => id).sort()).toEqual(acyclic.map(({ id }) => id).sort());
      }),
    );
  });

  it('do not depend on the order of the runs', () => {
    fc.assert(
      fc.property(anyRuns, fc.nat(), (runs, turn) => {
        const turned = runs
          .toSpliced(0, turn % (runs.length + 1))
          .concat(runs.slice(0, turn % (runs.length + 1)));
        expect(ids(turned)).toEqual(ids(runs));
        expect(ids(turned.toReversed())).toEqual(ids(runs));
      }),
    );
  });

  it('have one key, and no gap that is too long', () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        for (const { id, slides } of groupIntoBatches(runs)) {
          const firsts = slides.map((slide) => slide.runs[0]);
          expect(firsts[0]?.id).toBe(id);
          expect(new Set(firsts.map(({ key }) => key)).size).toBe(1);
          let end = -Infinity;
          for (const [index, run] of firsts.entries()) {
            const before = firsts[index - 1];
            if (before !== undefined) {
              const gap = run.acceptedAt - before.acceptedAt;
              expect(gap <= gapMs || (run.acceptedAt - end <= gapMs && gap <= maxGapMs)).toBe(true);
            }
            end = Math.max(end, run.finishedAt ?? Infinity);
          }
        }
      }),
    );
  });

  it('are not split by a run that arrives later', () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        const first = runs.map((run) => ({ ...run, retryOf: null }));
        const last = first.reduce((latest, run) => Math.max(latest, run.acceptedAt), 0);
        const more = someBatchRun({ id: 'late', key: 'ada', acceptedAt: last + minute });
        const without = ids([...first, more]).map((each) => each.filter((id) => id !== 'late'));
        const before = ids(first);
        expect(
          without
            .filter((each) => each.length > 0)
            .map(String)
            .sort(),
        ).toEqual(before.map(String).sort());
      }),
    );
  });
});
