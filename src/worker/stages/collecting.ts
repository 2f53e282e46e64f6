import { collectOutputs } from '../../girder/collect.js';
import type { Analysis } from '../../girder/analysis.js';
import { describeEnd } from '../describe-end.js';
import type { Outcome, Run } from '../run.js';
import type { StageContext, Tools } from '../tools.js';

/** How a run came out, and why if not well. */
export interface Verdict {
  outcome: Outcome;
  reason: string | null;
}

/**
 * Judges the end of the job and uploads the outputs of a good one, each exactly once however often this is resumed.
 * @throws DsaSlurmError if an output is missing or cannot be uploaded; an abort error if `signal` aborts.
 */
export async function collect(
  context: StageContext,
  analysis: Analysis,
  run: Run,
  tools: Tools,
): Promise<Verdict> {
  const { end, staged } = run;
  if (end === null || staged === null) throw new Error('outputs are collected only once the job has ended');
  // asked to be canceled and ended, in whichever order: nothing of it is wanted any more
  if (run.cancel !== null) return { outcome: 'canceled', reason: null };
  if (end.outcome !== 'succeeded') return { outcome: end.outcome, reason: await describeEnd(run, end) };
  await tools.lanes.collecting.add(
    async () =>
      collectOutputs(analysis.hooks, staged, {
        ...tools.girderSetup(run),
        signal: context.signal,
        done: new Set(run.outputsDone),
        onDone: async (key) => {
          await tools.book.record(run.id, { type: 'output-done', key });
        },
        onProgress: (text) => context.girderJob.log(`${text}\n`),
      }),
    { signal: context.signal },
  );
  return { outcome: 'succeeded', reason: null };
}
