import type { Analysis } from '../../girder/analysis.js';
import { stageAnalysis } from '../../girder/stage.js';
import { findImage } from '../image.js';
import { inLane } from '../lane.js';
import type { Run } from '../run.js';
import type { StageContext, Tools } from '../tools.js';

/**
 * Fetches the inputs and makes the volumes, from scratch each time. Afterwards the run knows where everything is.
 * @throws DsaSlurmError with the reason for the slide's owner; an abort error if `signal` aborts.
 */
export async function stageInputs(context: StageContext, analysis: Analysis, tools: Tools): Promise<Run> {
  const { settings, book } = tools;
  // an image that is not there is told at once, and not after gigabytes of slides
  await findImage(analysis.image, tools);
  const staged = await inLane(tools.lanes.staging, context.signal, async () => {
    const run = await book.record(context.id, { type: 'staging' });
    return stageAnalysis(analysis, {
      ...tools.girderSetup(run),
      tmpDir: settings.dirs.tmp,
      runId: context.id,
      mountPrefix: settings.slurm.mountPrefix,
      directPaths: settings.girder.directPaths,
      signal: context.signal,
      onProgress: (text) => context.girderJob.log(`${text}\n`),
    });
  });
  return book.record(context.id, { type: 'staged', staged });
}
