import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../base/errors.js';
import {
  parseStatus,
  statusEveryMs,
  statusFileName,
  type WorkerStatus,
} from '../../../worker/run-state/status-file.js';
import type { Check, Finding } from '../../check.js';
import { combine, count, ok, skip, warn } from '../../check-result.js';

/** Three missed updates of the file. */
const silentMs = 3 * statusEveryMs;
/** The tracker normally polls far more often. */
const oldMs = 60_000;

/** Judges the status file of a running worker. `pollMs` is its poll interval. */
export function judgeStatusFile(
  { at, broker, jobsAt, jobsProblem, inFlight, problem, standbys }: WorkerStatus,
  {
    now,
    pollMs,
    profile,
    executor,
  }: { now: number; pollMs: number; profile: string; executor: 'slurm' | 'local' },
): Finding {
  const source = executor === 'slurm' ? 'Slurm' : 'this host';
  const doctor = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} doctor`;
  const findings: Finding[] = [];
  if (now - at > silentMs) {
    findings.push(
      warn(
        `The worker has not updated its status for ${seconds(now - at)} s: it hangs, or cannot write to its state directory.`,
        'Check its log, then restart it: its jobs continue.',
      ),
    );
  }
  const why = broker.problem === null ? '' : `: ${broker.problem}`;
  const isConnected = broker.state === 'consuming' || broker.state === 'paused';
  findings.push(
    isConnected || (broker.state === 'connecting' && broker.problem === null)
      ? ok(`RabbitMQ: ${broker.state}; ${count(inFlight, 'unfinished run')}`)
      : warn(`The worker receives no tasks; RabbitMQ: ${broker.state}${why}`, `${doctor} --only rabbitmq -v`),
  );
  if (isConnected && broker.problem !== null) {
    findings.push(warn(`RabbitMQ: ${broker.problem}`, `${doctor} --only rabbitmq -v`));
  }
  const age =
    jobsAt === null
      ? `jobs not read from ${source} yet`
      : `jobs last read from ${source} ${seconds(at - jobsAt)} s before`;
  const isOld = jobsAt !== null && at - jobsAt > Math.max(oldMs, 3 * pollMs);
  findings.push(
    jobsProblem !== null || isOld
      ? warn(
          `The worker cannot read the jobs from ${source}: ${jobsProblem ?? 'no answer'}; ${age}.`,
          executor === 'slurm' ? `${doctor} --only slurm -v` : `${doctor} --only directories -v`,
        )
      : ok(age),
  );
  for (const { host, pid } of standbys) findings.push(ok(`standby worker: process ${pid} on ${host}`));
  if (problem !== null) {
    findings.push(
      warn(`The worker's last error: ${problem}`, `${doctor} --only girder --only directories -v`),
    );
  }
  return combine(findings);
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1_000));
}

export const data: Check = {
  id: 'worker.data',
  group: 'worker',
  title: 'freshness of its data',
  needs: ['worker.running'],
  async run({ settings, needed, clock, profile }) {
    if (!needed('worker.running').isAlive) return skip('no worker is running');
    const path = join(settings.dirs.state, statusFileName);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown;
      return skip(`${path} does not exist: the worker is starting, or is an older version`);
    }
    const status = parseStatus(text);
    if (status === null) return warn(`${path} is not valid.`, 'Restart the worker to rewrite it.');
    return judgeStatusFile(status, {
      now: clock.now(),
      pollMs: settings.slurm.pollSeconds * 1_000,
      profile,
      executor: settings.worker.executor,
    });
  },
};
