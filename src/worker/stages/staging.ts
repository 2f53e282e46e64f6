import type { Analysis } from '../../girder/protocol/analysis.js';
import { stageAnalysis } from '../../girder/transfer/stage-inputs.js';
import { findImage } from '../job-request/find-image.js';
import { girderKey, inPlace } from './limit-concurrency.js';
import type { Run } from '../run-state/run.js';
import type { StageContext, Tools } from '../worker-services.js';

/**
 * Fetches the inputs and makes the volumes, from scratch each time. Afterwards the run knows where everything is.
 * @throws DsaSlurmError with the reason for the slide's owner; an abort error if `signal` aborts.
 */
export async function stageInputs(
  context: StageContext,
  analysis: Analysis,
  begun: Run,
  tools: Tools,
): Promise<Run> {
  const { settings, book } = tools;
  // an image that is not there is told at once, and not after gigabytes of slides
  await findImage(analysis.image, tools);
  const { apiUrlMap } = tools.girderSetup(begun);
  const key = girderKey([...analysis.args, ...analysis.streams], apiUrlMap);
  const staged = await inPlace(tools.lanes.staging, key, context.signal, async (outside) => {
    const run = await book.record(context.id, { type: 'staging' });
    return stageAnalysis(analysis, {
      ...tools.girderSetup(run),
      patience: { ...tools.transferPatience(run), runWait: outside },
      tmpDir: settings.dirs.tmp,
      runId: context.id,
      privateDirectories: tools.privateDirectories,
      mountPrefix: settings.slurm.mountPrefix,
      directPaths: settings.girder.directPaths,
      signal: context.signal,
      onProgress: (text) => context.girderJob.log(`${text}\n`),
    });
  });
  return book.record(context.id, { type: 'staged', staged });
}
