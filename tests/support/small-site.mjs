// Starts the services of a sandbox, runs one job with sbatch and one with srun, and stops all of it:
// `node … small-site.mjs <directory> [rabbitmq | accounting]`. With accounting, no QOS admits a job by then, which
// slurmctld must learn while it runs.
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';

import { createRunner } from '../../src/base/command.js';
import { silentLog } from '../../src/base/log.js';
import { startRabbitmq } from '../../src/sandbox/services/rabbitmq.js';
import { startSlurm } from '../../src/sandbox/services/slurm.js';

const [dir, more] = process.argv.slice(2);
const user = userInfo().username;
const sacctmgr = [
  ['add', 'account', 'lab'],
  ['add', 'user', user, 'account=lab'],
];
const accounting = more === 'accounting' ? { sacctmgr } : undefined;
const options = { log: silentLog(), env: process.env };
const services = await Promise.allSettled([
  startSlurm({ dir: join(dir, 'slurm'), nodes: 1, accounting, ...options }),
  ...(more === 'rabbitmq' ? [startRabbitmq({ dir: join(dir, 'rabbitmq'), ...options })] : []),
]);
const errors = services.flatMap(({ reason }) =>
  reason === undefined ? [] : [{ message: reason.message, next: reason.next }],
);
let job = null;
if (errors.length === 0) {
  const run = createRunner({ env: { ...process.env, ...services[0].value.env } });
  const output = join(dir, 'output');
  if (accounting !== undefined) {
    await run('sacctmgr', ['--immediate', 'modify', 'qos', 'normal', 'set', 'GrpSubmitJobs=0']);
  }
  const submitted = await run('sbatch', ['--wait', `--output=${output}`, '--wrap=echo "it ran"']);
  job = submitted;
  if (submitted.exitCode === 0) {
    // srun listens, too, and slurmctld and the node must reach it
    const interactive = await run('srun', ['echo', 'it ran interactively'], { timeoutMs: 30_000 });
    const printed = interactive.kind === 'exited' ? interactive.stdout : interactive.kind;
    job = `${await readFile(output, 'utf8')}${printed}`;
  }
}
await Promise.all(services.map(({ value }) => value?.stop()));
console.log(JSON.stringify({ errors, job }));
