// The worker of npm run soak, in a process of its own: says on request what it holds.
import { createLog } from '../../build/base/log.js';
import { loadSettings } from '../../build/config/index.js';
import { createWorker } from '../../build/worker/worker.js';
import { createStubExecutor } from './stub-executor.ts';

const { flags, logFile, jobs } = JSON.parse(process.argv[2]);
const { settings } = loadSettings({ profile: 'default', configDir: '/nonexistent', env: {}, flags });
const log = createLog({ level: 'warn', destination: logFile });
const worker = await createWorker({
  profile: 'soak',
  settings,
  env: process.env,
  log,
  ...(jobs === 'stub' ? { executor: createStubExecutor() } : {}),
});
await worker.start();
// somebody looks, as a console does
worker.handle.subscribe(() => worker.handle.snapshot());
worker.handle.watch('worker', () => {});

process.on('message', (message) => {
  if (message === 'stop') {
    void worker.stop().then(() => process.disconnect());
    return;
  }
  const { health } = worker.handle.snapshot();
  if (message === 'count') {
    process.send({ finished: health.finished });
    return;
  }
  // twice: what the first one finalises goes with the second
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const kinds = {};
  for (const kind of process.getActiveResourcesInfo()) kinds[kind] = (kinds[kind] ?? 0) + 1;
  process.send({ rss, heapUsed, external, kinds, finished: health.finished });
});
process.send('ready');
