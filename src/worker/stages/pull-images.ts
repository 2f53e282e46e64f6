import { join } from 'node:path';

import { sifFileName } from '../../apptainer/image-name.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { access } from '../../base/files/network-fs.js';
import { clientFor } from '../../girder/api/client.js';
import type { Ingest } from '../../girder/protocol/read-ingest.js';
import { registerImage, type ImageRegistration } from '../../girder/jobs/register-image.js';
import { runKey } from '../../slurm/job-identity.js';
import { requireDirectory } from '../job-request/find-image.js';
import { fetchImage } from '../images/fetch-image.js';
import { withQueueSlot } from './limit-concurrency.js';
import type { Services, StageContext } from '../worker-services.js';
import type { RunResult } from './collecting.js';

/**
 * How long server errors (500) are retried, in milliseconds: Girder's database may be restarting, but a description that
 * slicer_cli_web cannot read fails the same way every time.
 */
const serverErrorMs = 5 * 60_000;

type IngestServices = Services<
  'runStore' | 'settings' | 'apptainer' | 'imageIngest' | 'girderSetup' | 'transferPatience' | 'lanes'
>;

/**
 * Adds images, as an administrator requested on Girder's page: pulls each, queries its CLIs and registers them. An image
 * that fails does not keep the others from being added. Everything can be repeated, so after a restart this starts over.
 * @throws an abort error if `signal` aborts
 */
export async function pullImages(
  context: StageContext,
  ingest: Ingest,
  services: IngestServices,
): Promise<RunResult> {
  const { girderJob, signal } = context;
  await services.runStore.record(context.id, { type: 'staging' });
  // this never waits in a Slurm queue, so it has started
  girderJob.started();
  const failures: { image: string; why: string }[] = [];
  const showProgress = (current: number, message: string): void => {
    const progress = { total: ingest.images.length, current, message };
    girderJob.progress(progress);
    services.runStore.recordVolatile(context.id, { type: 'progress', progress });
  };
  for (const [index, image] of ingest.images.entries()) {
    signal.throwIfAborted();
    showProgress(index, image);
    try {
      const registration = await readImage(context, ingest, image, services);
      await register(context, ingest, registration, services);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof DsaSlurmError)) throw error;
      failures.push({ image, why: errorLine(error) });
      // for a single image this is the reason of the run, which is reported below
      if (ingest.images.length > 1) girderJob.log(`${errorLine(error)}\n`);
    }
  }
  const { length } = ingest.images;
  showProgress(length, `${length - failures.length} of ${length} added`);
  return failures.length === 0
    ? { outcome: 'succeeded', reason: null }
    : { outcome: 'failed', reason: reasonOf(failures, length) };
}

function reasonOf(failures: readonly { image: string; why: string }[], count: number): string {
  if (count === 1) return `Not added: ${failures[0]?.why ?? ''}`;
  const names = failures.map(({ image }) => image.replaceAll(/\p{C}/gu, '?'));
  return `${failures.length} of ${count} images were not added, see the log for the reasons: ${names.join(', ')}`;
}

/** Pulls an image if requested, and queries its CLIs. */
async function readImage(
  { id, girderJob, signal }: StageContext,
  { pull, folderId }: Ingest,
  image: string,
  services: IngestServices,
): Promise<ImageRegistration> {
  const directory = requireDirectory(services.settings.dirs.images, 'dirs.images', 'SIF_IMAGE_PATH');
  const sif = join(directory, sifFileName(image));
  // one at a time in the whole worker: concurrent pulls of one image would conflict
  return withQueueSlot(services.lanes.ingesting, signal, async () => {
    const mustPull = pull || !(await exists(sif));
    if (mustPull) girderJob.log(`Pulling ${image}\n`);
    const onOutput = (text: string) => girderJob.log(text);
    const { facts, clis } = await fetchImage(
      { image, sif, pull: mustPull, key: runKey(id), onOutput, signal },
      services,
    );
    return { folderId, image, labels: facts.labels, clis };
  });
}

/** Runs outside of the queue: while this waits for a Girder that is down, other images can be pulled. */
async function register(
  { id, girderJob, signal }: StageContext,
  { access: girderAccess }: Ingest,
  registration: ImageRegistration,
  services: IngestServices,
): Promise<void> {
  const run = services.runStore.mustGet(id);
  const patience = { ...services.transferPatience(run), serverErrorMs };
  const client = clientFor(girderAccess, { ...services.girderSetup(run), patience });
  await registerImage(client, registration, signal);
  girderJob.log(`Added ${registration.image}: ${registration.clis.map(({ name }) => name).join(', ')}\n`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
