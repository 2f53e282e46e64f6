import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunner } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { demoImageName } from '../batch.js';
import { drawSlide } from '../demo/slide.js';
import { description } from '../demo/tissue-fraction.js';
import { untilReady } from '../process.js';
import { startCluster, type Sandbox, type StartOptions } from '../site.js';
import type { GirderMajor } from './install.js';
import type { GirderDocument } from './rest.js';
import { installRealGirder, startRealGirder, testCache, type RealGirder } from './service.js';

/** A sandbox with a real Girder. */
export interface RealGirderSandbox extends Pick<Sandbox, 'worker' | 'settings' | 'env' | 'title'> {
  girder: RealGirder;
}

/**
 * Starts a real Girder beside a sandbox cluster, with the demo analysis and a few slides in it.
 * @throws DsaSlurmError `sandbox` with what is missing
 */
export async function startRealGirderSandbox(
  options: StartOptions & { major: GirderMajor },
): Promise<RealGirderSandbox> {
  const { dir, env, say, onStarted, signal, major } = options;
  const cache = testCache(env, tmpdir());
  // Installation takes minutes and may fail, so it comes before anything is started.
  await installRealGirder({ major, cache, run: createRunner({ env }), say });
  signal.throwIfAborted();
  const { run, brokerUrl, runtime, startWorker } = await startCluster(options);
  runtime.notices.forEach((sentence) => say(sentence));
  const girderDir = join(dir, 'girder');
  await mkdir(girderDir, { mode: 0o700 });
  const girder = await startRealGirder({ major, dir: girderDir, cache, brokerUrl, run, env, say });
  onStarted(girder);
  signal.throwIfAborted();
  const params = { name: 'dsa-slurm' };
  const { key } = await girder.admin.call<{ key: string }>('POST', 'api_key', { params });
  const started = await startWorker({ 'girder.apiUrl': girder.apiUrl, 'girder.apiKey': key });
  if (major === 5) await girder.startLocalWorker();
  await addDemo(girder);
  return { girder, ...started, title: `sandbox: a real Girder at ${girder.url}` };
}

/** Adds the demo analysis as an administrator would add an image, and slides for it in the pathologist's own folder. */
async function addDemo(girder: RealGirder): Promise<void> {
  const { admin, pathologist, home, major } = girder;
  const collection = await admin.call('POST', 'collection', { params: { name: 'Tasks', public: true } });
  const place = { parentType: 'collection', parentId: collection._id, name: 'Slicer CLI', public: true };
  const folder = await admin.call('POST', 'folder', { params: place });
  if (major === 3) {
    await girder.register(demoImageName, folder._id, { TissueFraction: description });
  } else {
    const params = { name: JSON.stringify([demoImageName]), folder: folder._id };
    await succeeded(girder, await admin.call('PUT', 'slicer_cli_web/docker_image', { params }));
  }
  for (const seed of [1, 2, 3]) {
    const { tiff } = drawSlide({ seed, width: 640, height: 480 });
    await pathologist.upload(home, `slide ${seed}.tiff`, tiff);
  }
}

async function succeeded({ admin, process }: RealGirder, job: GirderDocument): Promise<void> {
  const final = { success: 3, error: 4, canceled: 5 };
  let now = job;
  const isOver = async () => {
    now = await admin.call('GET', `job/${job._id}`);
    return Object.values(final).includes(Number(now['status']));
  };
  await untilReady('The demo analysis', isOver, {
    children: [process()],
    timeoutMs: 180_000,
    stepMs: 500,
  });
  if (now['status'] === final.success) return;
  throw new DsaSlurmError('sandbox', `Girder did not add the demo analysis: ${JSON.stringify(now['log'])}`);
}
