import { join } from 'node:path';

import { imageEntry, imageHome } from '../../apptainer/entry.js';
import {
  containerEnvironment,
  execArguments,
  quietEnvironment,
  runtimeOf,
} from '../../apptainer/exec-args.js';
import { sifFileName } from '../../apptainer/image-name.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { access } from '../../base/shared-files.js';
import type { Ingest } from '../../girder/read-ingest.js';
import { registerImage } from '../../girder/register-image.js';
import { runKey } from '../../slurm/key.js';
import { requireDirectory } from '../image.js';
import { isolationOff } from '../isolation.js';
import { inLane } from '../lane.js';
import type { StageContext, Tools } from '../tools.js';
import type { Verdict } from './collecting.js';

/**
 * Adds images, as an administrator asked for on Girder's own page: pulls each, asks it for its CLIs, and registers them. One
 * image that fails does not keep the others from being added. All of it can be done again, so a worker that starts in
 * the middle begins anew.
 * @throws an abort error if `signal` aborts
 */
export async function ingestImages(context: StageContext, ingest: Ingest, tools: Tools): Promise<Verdict> {
  const { girderJob, signal } = context;
  await tools.book.record(context.id, { type: 'staging' });
  // it waits in no queue of Slurm, so it has started
  girderJob.started();
  const failures: string[] = [];
  const tell = (current: number, message: string): void => {
    const progress = { total: ingest.images.length, current, message };
    girderJob.progress(progress);
    tools.book.note(context.id, { type: 'progress', progress });
  };
  for (const [index, image] of ingest.images.entries()) {
    signal.throwIfAborted();
    tell(index, image);
    try {
      // one at a time for the whole worker: two pulls of one image would only be in one another's way
      await inLane(tools.lanes.ingesting, signal, async () => ingestImage(context, ingest, image, tools));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof DsaSlurmError)) throw error;
      failures.push(errorLine(error));
      // with one image it is said at the end, and that is now
      if (ingest.images.length > 1) girderJob.log(`${errorLine(error)}\n`);
    }
  }
  const { length } = ingest.images;
  tell(length, `${length - failures.length} of ${length} added`);
  return failures.length === 0
    ? { outcome: 'succeeded', reason: null }
    : { outcome: 'failed', reason: `Not added: ${failures.join('\n')}` };
}

async function ingestImage(
  { id, girderJob, signal }: StageContext,
  { pull, folderId, access: girderAccess }: Ingest,
  image: string,
  tools: Tools,
): Promise<void> {
  const { settings, apptainer, imageIngest } = tools;
  const directory = requireDirectory(settings.dirs.images, 'dirs.images', 'SIF_IMAGE_PATH');
  const sif = join(directory, sifFileName(image));
  if (pull || !(await isThere(sif))) {
    girderJob.log(`Pulling ${image}\n`);
    const onOutput = (text: string) => girderJob.log(text);
    await imageIngest.pull(image, sif, { key: runKey(id), onOutput, signal });
    girderJob.log('Pulled.\n');
  }
  const facts = await apptainer.examine(image, sif);
  const entrySettings = {
    workingDirectory: settings.apptainer.workingDirectory,
    entrypoint: settings.apptainer.entrypoint === null ? null : [settings.apptainer.entrypoint],
  };
  const off = isolationOff(settings.apptainer, image);
  const environment = off.has('variables') ? undefined : facts.oci?.environment;
  const runtime = runtimeOf(settings.apptainer.command);
  const clis = await imageIngest.clis(
    image,
    (args) => {
      const { workingDirectory, command } = imageEntry({
        image,
        facts,
        settings: entrySettings,
        entrypoint: null,
        args,
      });
      const options = settings.apptainer.options;
      const isolation = {
        off,
        home: imageHome(facts, {}),
        replacesEnvironment: environment !== undefined,
        space: null,
      };
      const exec = execArguments({ sif, workingDirectory, binds: [], gpu: false, isolation, options });
      return [...exec, ...command];
    },
    {
      key: runKey(id),
      env: { ...containerEnvironment(environment ?? {}, runtime), ...quietEnvironment(runtime) },
      signal,
    },
  );
  const run = tools.book.get(id);
  if (run === undefined) throw new Error(`no run ${id} in the book`);
  await registerImage(
    { access: girderAccess, folderId, image, labels: facts.labels, clis },
    { ...tools.girderSetup(run), signal },
  );
  girderJob.log(`Added ${image}: ${clis.map(({ name }) => name).join(', ')}\n`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
