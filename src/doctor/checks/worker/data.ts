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
import type { LockFacts } from './running.js';

/** Three versions of the file that did not come. */
const silentMs = 3 * statusEveryMs;
/** The tracker asks far more often than this. */
const oldMs = 60_000;

/** How fresh what a running worker knows is. `pollMs` is the time between two questions about its jobs. Pure. */
export function judgeStatus(
  { at, broker, jobsAt, jobsTrouble, inFlight, trouble, standbys }: WorkerStatus,
  {
    now,
    pollMs,
    profile,
    executor,
  }: { now: number; pollMs: number; profile: string; executor: 'slurm' | 'local' },
): Finding {
  const who = executor === 'slurm' ? 'Slurm' : 'this host';
  const doctor = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} doctor`;
  const findings: Finding[] = [];
  if (now - at > silentMs) {
    findings.push(
      warn(
        `The worker has said nothing for ${seconds(now - at)} s: it hangs, or cannot write to its state directory.`,
        'Look at its log, and restart it: its jobs go on.',
      ),
    );
  }
  const why = broker.trouble === null ? '' : `: ${broker.trouble}`;
  const isConnected = broker.state === 'consuming' || broker.state === 'paused';
  findings.push(
    isConnected || (broker.state === 'connecting' && broker.trouble === null)
      ? ok(`RabbitMQ: ${broker.state}; ${count(inFlight, 'run')} under way`)
      : warn(`The worker takes no tasks; RabbitMQ: ${broker.state}${why}`, `${doctor} --only rabbitmq -v`),
  );
  if (isConnected && broker.trouble !== null) {
    findings.push(warn(`RabbitMQ: ${broker.trouble}`, `${doctor} --only rabbitmq -v`));
  }
  const age =
    jobsAt === null
      ? `it has not looked at the jobs of ${who} yet`
      : `it knows the jobs of ${who} as of ${seconds(at - jobsAt)} s before`;
  const isOld = jobsAt !== null && at - jobsAt > Math.max(oldMs, 3 * pollMs);
  findings.push(
    jobsTrouble !== null || isOld
      ? warn(
          `The worker's last look at the jobs of ${who}: ${jobsTrouble ?? 'no answer'}; ${age}.`,
          executor === 'slurm' ? `${doctor} --only slurm -v` : `${doctor} --only directories -v`,
        )
      : ok(age),
  );
  for (const { host, pid } of standbys)
    findings.push(ok(`stands by, to take over: process ${pid} on ${host}`));
  if (trouble !== null) {
    findings.push(
      warn(`The worker's last trouble: ${trouble}`, `${doctor} --only girder --only directories -v`),
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
  title: 'age of what it knows',
  needs: ['worker.running'],
  async run({ settings, needed, clock, profile }) {
    if (!(needed('worker.running') as LockFacts).isAlive) return skip('no worker runs');
    const path = join(settings.dirs.state, statusFileName);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown;
      return skip(`the worker has not written ${path}: it starts just now, or is of an older version`);
    }
    const status = parseStatus(text);
    if (status === null)
      return warn(`${path} cannot be read.`, 'Restart the worker: it writes the file anew.');
    return judgeStatus(status, {
      now: clock.now(),
      pollMs: settings.slurm.pollSeconds * 1_000,
      profile,
      executor: settings.worker.executor,
    });
  },
};
