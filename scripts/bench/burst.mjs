// Runs that are published at once, beside the same jobs submitted by a shell loop.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { finalAt, openTrial, quantile, questions, until, usage } from './site.mjs';

export const title = 'one-second runs published at once';
export const grows = true;

export async function measure(site, { count = 1_000 }) {
  const bare = await shellLoop(site, count);
  const trial = await openTrial(site);
  try {
    await trial.start();
    let requests = 0;
    site.girder.fail(() => void (requests += 1));
    const before = await usage(trial.pid());
    const asked = await questions(site);
    const began = Date.now();
    const tasks = Array.from({ length: count }, () => trial.publish());
    await trial.channel.waitForConfirms();
    await trial.finished(tasks, 120 + count);
    const seconds = (Math.max(...tasks.map(({ job }) => finalAt(job))) - began) / 1_000;
    const after = await usage(trial.pid());
    const questionsAsked = (await questions(site)) - asked;
    const marks = await trial.marks();
    const delays = tasks.map(({ job, taskId }) => finalAt(job) - marks.get(`dsa-slurm-${taskId}`).ended);
    site.girder.fail();
    const what = `${count} runs at once`;
    return [
      { what: `${what}: seconds`, ours: seconds, bare, reach: 1.05 },
      {
        what: `${what}: end of job to final status, median (s)`,
        ours: quantile(delays, 0.5) / 1_000,
        reach: 1.5,
      },
      { what: `${what}: the same, p99 (s)`, ours: quantile(delays, 0.99) / 1_000, reach: 4 },
      { what: `${what}: query RPCs a minute`, ours: (questionsAsked / seconds) * 60, reach: 12 },
      { what: `${what}: requests to Girder per run`, ours: requests / count, reach: 6 },
      { what: `${what}: peak memory (MB)`, ours: after.peak },
      { what: `${what}: CPU of the worker (s)`, ours: after.cpu - before.cpu },
      { what: `${what}: CPU of its children (s)`, ours: after.children - before.children },
    ];
  } finally {
    site.girder.fail();
    await trial.close();
  }
}

/** The same jobs without a worker: batch script, arguments file, exit record, log. @returns seconds */
async function shellLoop(site, count) {
  const trial = await openTrial(site);
  try {
    const out = join(trial.dir, 'out');
    await mkdir(out);
    const args = join(trial.dir, 'arguments');
    await writeFile(
      args,
      [join(site.dir, 'images', 'bench_image_v1.sif'), 'Bench', '1', `${out}/x`, ''].join('\0'),
    );
    const loop = `for ((i = 0; i < ${count}; i++)); do
  DSA_SLURM_EXIT_RECORD="$PWD/logs/$i.exit" sbatch --quiet --parsable --job-name="bare-$i" --output="$PWD/logs/$i.log" \\
    --mem=100M --time=00:20:00 --cpus-per-task=1 "$PWD/singularity.slurm" >"$PWD/ids" || exit 1
done`;
    const env = { ...trial.env, DSA_SLURM_APPTAINER: site.apptainer, DSA_SLURM_ARGUMENTS: args };
    const began = Date.now();
    const child = spawn('bash', ['-c', loop], { cwd: trial.dir, env, stdio: 'ignore' });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error('the shell loop failed');
    await until(
      'all jobs of the shell loop have ended',
      async () => (await trial.marks()).size === count,
      120 + count,
      200,
    );
    const ends = [...(await trial.marks()).values()].map(({ ended }) => ended);
    return (Math.max(...ends) - began) / 1_000;
  } finally {
    await trial.close();
  }
}
