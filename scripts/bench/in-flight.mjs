// Many runs whose jobs wait in Slurm: memory, CPU and questions while nothing happens, a restart, and a cancel of all.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { cpuShare, isFinal, openTrial, program, questions, squeueCount, until, usage } from './site.mjs';
import { createRunner } from '../../build/base/command.js';

export const title = 'runs that wait in Slurm';
export const grows = true;

/** From so many runs on, what each of them takes is more than what the worker has loaded since it was idle. */
const manyRuns = 1_000;

export async function measure(
  site,
  { waiting = 5_000, quietSeconds = 30, settleSeconds = 12 },
  isFirst = true,
) {
  const bin = join(site.dir, `bin-${waiting}`);
  await mkdir(bin, { recursive: true });
  const calls = join(bin, 'calls');
  await writeFile(calls, '');
  const { stdout } = await site.run('which', ['scancel']);
  await writeFile(join(bin, 'scancel'), `#!/bin/sh\necho call >>'${calls}'\nexec '${stdout.trim()}' "$@"\n`, {
    mode: 0o755,
  });
  const settings = { 'slurm.partition': 'closed', 'worker.inFlight': waiting + 10 };
  const trial = await openTrial(site, { settings, path: bin });
  try {
    await trial.start();
    const idle = isFirst ? await idleWorker(trial, quietSeconds) : [];
    const { rss: idleMemory } = await usage(trial.pid());
    const began = performance.now();
    const tasks = Array.from({ length: waiting }, () => trial.publish());
    await trial.channel.waitForConfirms();
    await until(
      'all runs are in Slurm',
      async () => (await squeueCount(site)) === waiting,
      120 + waiting / 5,
      1_000,
    );
    const seconds = (performance.now() - began) / 1_000;
    // the late saves of Girder have been looked for by then
    await delay(settleSeconds * 1_000);
    const [asked, askedAt] = [await questions(site), performance.now()];
    const quietCpu = await cpuShare(trial.pid(), quietSeconds);
    const minutes = (performance.now() - askedAt) / 60_000;
    const perMinute = ((await questions(site)) - asked) / minutes;
    const after = await usage(trial.pid());
    await trial.stop();
    const ready = await trial.start();
    const command = createRunner({ env: trial.env });
    await writeFile(calls, '');
    const answer = await command(program, ['runs', 'cancel', '--stage', 'queued', ...trial.flags], {
      timeoutMs: 120_000 + waiting * 100,
    });
    if (answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
    await until(
      'all runs are canceled',
      () => tasks.every(({ job }) => isFinal(job)),
      120 + waiting / 5,
      500,
    );
    const scancels = (await readFile(calls, 'utf8')).split('\n').length - 1;
    const what = `${waiting} waiting`;
    const perRun = {
      what: `${what}: increase of memory, a run (kB)`,
      ours: ((after.rss - idleMemory) * 1_024) / waiting,
      reach: 20,
    };
    return [
      ...idle,
      { what: `${what}: seconds until all were in Slurm`, ours: seconds },
      { what: `${what}: peak memory (MB)`, ours: after.peak, reach: 250 },
      { what: `${what}: memory afterwards (MB)`, ours: after.rss, reach: 250 },
      ...(waiting < manyRuns ? [] : [perRun]),
      { what: `${what}: CPU of a core (%)`, ours: quietCpu },
      { what: `${what}: seconds until the command to cancel all returns`, ours: answer.ms / 1_000 },
      { what: `${what}: query RPCs a minute`, ours: perMinute, reach: 12 },
      { what: `${what}: restarted worker consumes after (s)`, ours: ready / 1_000, reach: 3 },
      { what: `${what}: scancel processes to cancel all`, ours: scancels, reach: 10 },
    ];
  } finally {
    await trial.close();
  }
}

async function idleWorker(trial, seconds) {
  const cpu = await cpuShare(trial.pid(), seconds);
  const { rss } = await usage(trial.pid());
  return [
    { what: 'idle worker: CPU of a core (%)', ours: cpu, reach: 0.5 },
    { what: 'idle worker: memory (MB)', ours: rss },
  ];
}
