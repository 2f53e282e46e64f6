import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createLog } from '../../../src/base/log.js';
import { runWorkerService } from '../../../src/worker/service.js';
import { openLab, status, statuses, type Lab } from '../../support/lab.js';
import { celery } from '../celery/bench.js';
import { testSite } from '../../support/test-site.js';

let lab: Lab;
/** Container path of this test's files. */
let gates: string;

beforeAll(async () => {
  gates = await mkdtemp(join(testSite().sandboxDir, 'gates-'));
  lab = await openLab({ 'worker.remoteShutdown': true, 'apptainer.options': [`--bind=${gates}`] });
});

afterAll(async () => lab.close());

test("Celery's shutdown ends the worker as SIGTERM does: its job continues, and the next start resumes it", async () => {
  const node = lab.settings.worker.name;
  await lab.worker.stop();
  const service = runWorkerService({
    profile: 'lab',
    settings: lab.settings,
    env: { PATH: `${lab.bin}:${process.env['PATH']}`, HOME: lab.dir, SLURM_CONF: testSite().slurmConf },
    log: createLog({ level: 'debug', destination: join(lab.dir, 'worker.log') }),
    signal: new AbortController().signal,
    exit(code) {
      throw new Error(`it exits with ${code}`);
    },
  });
  const gate = join(gates, 'gate');
  const job = await lab.publish({ args: ['Wait', gate] });
  await lab.until(() => lab.girder.job(job.id)?.log.join('').includes('tick'), 60_000);
  const [answers] = await celery([{ step: 'control', method: 'shutdown', destination: [node], timeout: 1 }]);
  expect(answers).toEqual([]);
  expect(await service).toBe(0);
  await writeFile(gate, '');
  await lab.startWorker();
  expect(statuses(await lab.ended(job))).toEqual([status.running, status.success]);
});
