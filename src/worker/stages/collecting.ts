import {
  uploadArtifactsAfterFailure,
  uploadOutputs,
  type UploadOutputsOptions,
} from '../../girder/transfer/upload-outputs.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { DsaSlurmError } from '../../base/errors.js';
import { failureReason } from '../reporting/failure-reason.js';
import { girderKey, withKeyedSlot, type ReleaseWhile } from './limit-concurrency.js';
import { isStaged, type EndedRun, type StagedRun } from '../run-state/run-milestones.js';
import type { Outcome } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';

type UploadServices = Services<'runStore' | 'girderSetup' | 'transferPatience' | 'lanes'>;

/** How a run ended, and why it did not succeed. */
export interface RunResult {
  outcome: Outcome;
  reason: string | null;
}

/**
 * Turns the end of the job into the result of the run, and uploads the outputs if it succeeded: each exactly once,
 * however often this is resumed.
 * @throws DsaSlurmError if an output is missing or cannot be uploaded; an abort error if `signal` aborts.
 */
export async function collect(
  context: StageContext,
  analysis: Analysis,
  run: EndedRun,
  services: UploadServices & Services<'executor'>,
): Promise<RunResult> {
  const { end } = run;
  // canceled before or after the job ended: the outputs are not wanted
  if (run.cancel !== null) return { outcome: 'canceled', reason: null };
  // this worker canceled the job, so Slurm's state is not the reason
  if (run.brokenStream !== null) return { outcome: 'failed', reason: run.brokenStream };
  if (end.outcome !== 'succeeded')
    return { outcome: end.outcome, reason: await failureReason(run, services.executor) };
  if (!isStaged(run)) {
    throw new DsaSlurmError('files', 'The journal of the worker no longer says where the outputs are.', {
      next: 'Ask the administrator of this worker: its journal is damaged. Then start the analysis again.',
    });
  }
  const { staged } = run;
  await withUploadSlot(analysis, context, run, services, async (options) =>
    uploadOutputs(analysis.hooks, staged, options),
  );
  return { outcome: 'succeeded', reason: null };
}

/**
 * Uploads the artifacts that a failed run must keep (`upload_on_exception`), if it failed after its inputs were staged.
 * Artifacts that were uploaded already are skipped.
 * @throws only if the worker stops or the run is canceled
 */
export async function keepArtifacts(
  context: StageContext,
  analysis: Analysis,
  run: StagedRun,
  services: UploadServices,
): Promise<void> {
  const { staged } = run;
  if (run.cancel !== null) return;
  if (!analysis.hooks.some((hook) => hook.kind === 'jobArtifact' && hook.uploadOnException)) return;
  await withUploadSlot(analysis, context, run, services, async (options) =>
    uploadArtifactsAfterFailure(analysis.hooks, staged, options),
  );
}

async function withUploadSlot(
  { hooks }: Analysis,
  context: StageContext,
  run: StagedRun,
  services: UploadServices,
  work: (options: UploadOutputsOptions) => Promise<void>,
): Promise<void> {
  const key = girderKey(hooks, services.girderSetup(run).apiUrlMap);
  await withKeyedSlot(services.lanes.collecting, key, context.signal, async (releaseWhile) =>
    work(collectOptions(context, run, services, releaseWhile)),
  );
}

function collectOptions(
  { signal, girderJob }: StageContext,
  run: StagedRun,
  services: UploadServices,
  releaseWhile: ReleaseWhile,
): UploadOutputsOptions {
  return {
    ...services.girderSetup(run),
    patience: { ...services.transferPatience(run), runWait: releaseWhile },
    signal,
    done: new Set(run.outputsDone),
    begun: run.outputsBegun,
    onBegin: async (key, upload) => {
      await services.runStore.record(run.id, { type: 'output-begun', key, upload });
    },
    onDone: async (key) => {
      await services.runStore.record(run.id, { type: 'output-done', key });
    },
    onProgress: (text) => girderJob.log(`${text}\n`),
  };
}
