import type { Analysis } from '../../girder/protocol/analysis.js';
import { stageAnalysis } from '../../girder/transfer/stage-inputs.js';
import { findImage } from '../job-request/find-image.js';
import { girderKey, withKeyedSlot } from './limit-concurrency.js';
import type { StagedRun } from '../run-state/run-milestones.js';
import type { Run } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';

/**
 * Downloads the inputs and creates the volumes, from scratch each time, and records where they are.
 * @throws DsaSlurmError with the reason for the slide's owner; an abort error if `signal` aborts.
 */
export async function stageInputs(
  context: StageContext,
  analysis: Analysis,
  begun: Run,
  services: Services<
    | 'runStore'
    | 'settings'
    | 'apptainer'
    | 'girderSetup'
    | 'transferPatience'
    | 'privateDirectories'
    | 'lanes'
  >,
): Promise<StagedRun> {
  const { settings, runStore } = services;
  // report a missing image before downloading gigabytes of slides
  await findImage(analysis.image, services);
  const { apiUrlMap } = services.girderSetup(begun);
  const key = girderKey([...analysis.args, ...analysis.streams], apiUrlMap);
  const staged = await withKeyedSlot(services.lanes.staging, key, context.signal, async (releaseWhile) => {
    const run = await runStore.record(context.id, { type: 'staging' });
    return stageAnalysis(analysis, {
      ...services.girderSetup(run),
      patience: { ...services.transferPatience(run), runWait: releaseWhile },
      tmpDir: settings.dirs.tmp,
      runId: context.id,
      privateDirectories: services.privateDirectories,
      mountPrefix: settings.slurm.mountPrefix,
      directPaths: settings.girder.directPaths,
      signal: context.signal,
      onProgress: (text) => context.girderJob.log(`${text}\n`),
    });
  });
  return { ...(await runStore.record(context.id, { type: 'staged', staged })), staged };
}
