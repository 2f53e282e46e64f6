// One run after another on an idle worker, with default settings: what the owner of a slide waits for besides the analysis. Then
// the same while other jobs run whose logs do not grow.
import { cpuShare, finalAt, openTrial, quantile, squeueCount, until } from './site.mjs';
import { setTimeout as delay } from 'node:timers/promises';

export const title = 'a run on an idle worker';

export async function measure(site, { lone = 8, settleSeconds = 12, running = 200, quietSeconds = 30 }) {
  const settings = { 'slurm.partition': 'shared', 'slurm.mem': '10M', 'worker.inFlight': running + 10 };
  const trial = await openTrial(site, { settings });
  try {
    await trial.start();
    const [starts, ends, submits, requests] = [[], [], [], []];
    for (let index = 0; index < lone; index += 1) {
      let count = 0;
      site.girder.fail(() => void (count += 1));
      // at different places of the poll interval
      const task = trial.publish({ work: 3 + (index % 4) * 0.7 });
      let firstLine = 0;
      await until('the run has ended', () => {
        if (firstLine === 0 && task.job.log.join('').includes('the first line of the analysis'))
          firstLine = Date.now();
        return task.job.status >= 3 && task.job.status <= 5;
      });
      await trial.finished([task]);
      const mark = (await trial.marks()).get(`dsa-slurm-${task.taskId}`);
      starts.push(firstLine - mark.began);
      ends.push(finalAt(task.job) - mark.ended);
      submits.push(mark.began - task.at);
      // the checks that follow belong to the run
      await delay(Math.max(0, task.at + settleSeconds * 1_000 - Date.now()));
      requests.push(count);
    }
    const bare = await bareStart(site, trial);
    const rows = [
      {
        what: 'lone run: end of job to final status, median (s)',
        ours: quantile(ends, 0.5) / 1_000,
        reach: 1.5,
      },
      { what: 'lone run: the same, slowest (s)', ours: Math.max(...ends) / 1_000, reach: 4 },
      {
        what: 'lone run: start of job to first line of log, median (s)',
        ours: quantile(starts, 0.5) / 1_000,
        reach: 2,
      },
      { what: 'lone run: published to start of its job (s)', ours: quantile(submits, 0.5) / 1_000, bare },
      { what: 'lone run: requests to Girder', ours: quantile(requests, 0.5), reach: 6 },
    ];
    return [...rows, ...(await amongOthers(site, trial, { lone, settleSeconds, running, quietSeconds }))];
  } finally {
    site.girder.fail();
    await trial.close();
  }
}

/** The same among `running` jobs whose logs do not grow; and what following those costs. */
async function amongOthers(site, trial, { lone, settleSeconds, running, quietSeconds }) {
  for (let index = 0; index < running; index += 1) trial.publish({ work: 3_600 });
  await trial.channel.waitForConfirms();
  await until(
    'the other jobs run',
    async () => (await squeueCount(site, 'RUNNING')) === running,
    120 + running,
    1_000,
  );
  // until the worker knows it, and the late saves of Girder have been looked for
  await delay(settleSeconds * 1_000);
  const quietCpu = await cpuShare(trial.pid(), quietSeconds);
  const ends = [];
  for (let index = 0; index < lone; index += 1) {
    const task = trial.publish({ work: 2 + (index % 4) * 0.7 });
    await trial.finished([task]);
    const { ended } = (await trial.marks()).get(`dsa-slurm-${task.taskId}`);
    ends.push(finalAt(task.job) - ended);
  }
  const what = `${running} jobs run`;
  return [
    { what: `${what}: CPU of a core for their quiet logs (%)`, ours: quietCpu, reach: 3 },
    {
      what: `${what}: end of a job to final status, median (s)`,
      ours: quantile(ends, 0.5) / 1_000,
      reach: 1.5,
    },
    { what: `${what}: the same, slowest of ${lone} (s)`, ours: Math.max(...ends) / 1_000, reach: 4 },
  ];
}

/** Median seconds from the start of sbatch to the start of its job. */
async function bareStart(site, trial) {
  const times = [];
  for (let index = 0; index < 5; index += 1) {
    const began = Date.now();
    const result = await site.run(
      'sbatch',
      [
        '--parsable',
        '--output=/dev/null',
        '--mem=100M',
        `--job-name=bare-${index}`,
        trial.script,
        'x.sif',
        'Bench',
        '0',
        '/x',
      ],
      {
        env: { ...trial.env, DSA_SLURM_APPTAINER: site.apptainer },
      },
    );
    if (result.exitCode !== 0) throw new Error(`sbatch: ${JSON.stringify(result)}`);
    let mark;
    await until(
      'the job has ended',
      async () => (mark = (await trial.marks()).get(`bare-${index}`)) !== undefined,
    );
    times.push(mark.began - began);
  }
  return quantile(times, 0.5) / 1_000;
}
