import { describeFailure } from '../../../base/command.js';
import type { Settings } from '../../../config/index.js';
import { parseSlurmNumber } from '../../../slurm/commands/values.js';
import { shortestPollSeconds, type ClusterInfo } from '../../../slurm/site.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, fail, ok, skip, warn } from '../../check-result.js';
import { readSlurmConfig } from '../../slurm-config.js';

/** Whether ends of jobs can still be asked for afterwards. */
export const accounting: Check = {
  id: 'slurm.accounting',
  group: 'slurm',
  title: 'accounting',
  needs: ['slurm.version'],
  async run({ run, signal, needed }) {
    const site = needed('slurm.version') as ClusterInfo;
    switch (site.accounting) {
      case true: {
        const answer = await run('sacctmgr', ['--noheader', 'show', 'cluster'], { timeoutMs: 4_500, signal });
        const trouble = describeFailure(answer);
        return trouble === ''
          ? ok('kept: ends of jobs can be asked for long afterwards')
          : warn(
              [
                'This site keeps accounting, but it does not answer now: ends of jobs are waited for.',
                `sacctmgr ${trouble}`,
              ],
              'systemctl status slurmdbd   # on the host of AccountingStorageHost',
            );
      }
      case false:
        return ok(
          'none: after MinJobAge only the exit record of our own submit script tells how a job ended',
        );
      case null:
        return skip('Slurm did not say whether it keeps accounting');
    }
  },
};

/** How long the controller remembers a job that has ended. Pure. */
export function judgeMinJobAge(site: ClusterInfo, pollSeconds: number, profile: string): Finding {
  const { minJobAge } = site;
  if (minJobAge === null) return skip('Slurm did not tell its MinJobAge');
  if (minJobAge === 0) return ok('MinJobAge 0: the controller forgets no job');
  const evidence = `The controller forgets a job ${minJobAge} s after its end (MinJobAge); it is asked every ${pollSeconds} s.`;
  if (minJobAge >= 3 * pollSeconds) return ok(evidence);
  const fix = configSet(profile, 'slurm.pollSeconds', String(Math.max(1, Math.floor(minJobAge / 3))));
  return site.accounting === true
    ? warn(evidence, fix)
    : fail(`${evidence} Without accounting ends will be missed.`, fix);
}

export const minJobAge: Check = {
  id: 'slurm.min-job-age',
  group: 'slurm',
  title: 'memory of ended jobs',
  needs: ['slurm.version'],
  run: async ({ needed, settings, profile }) =>
    judgeMinJobAge(needed('slurm.version') as ClusterInfo, settings.slurm.pollSeconds, profile),
};

/** The controller's own limits against the worker's. Pure. */
export function judgeLimits(
  site: ClusterInfo,
  config: ReadonlyMap<string, string>,
  settings: Pick<Settings, 'worker' | 'slurm'>,
  profile: string,
): Finding {
  const findings: Finding[] = [];
  const maxJobs = parseSlurmNumber(config.get('MaxJobCount') ?? '');
  if (maxJobs !== null) {
    const evidence = `The cluster holds ${maxJobs} jobs at most (MaxJobCount); this worker has up to ${settings.worker.inFlight} (worker.inFlight).`;
    findings.push(
      settings.worker.inFlight > maxJobs / 2
        ? warn(evidence, configSet(profile, 'worker.inFlight', String(Math.max(1, Math.floor(maxJobs / 2)))))
        : ok(evidence),
    );
  }
  const { rateLimit } = site;
  if (rateLimit === null) {
    findings.push(ok('no limit on the rate of requests'));
  } else {
    const { pollSeconds } = settings.slurm;
    const least = Math.ceil(shortestPollSeconds(site));
    const evidence = `The controller takes ${rateLimit.perSecond} requests a second from one user, ${rateLimit.burst} at once; one squeue every ${least} s takes a quarter of that, and slurm.pollSeconds is ${pollSeconds}.`;
    findings.push(
      pollSeconds < least
        ? warn(evidence, configSet(profile, 'slurm.pollSeconds', String(least)))
        : ok(evidence),
    );
  }
  return combine(findings);
}

export const limits: Check = {
  id: 'slurm.limits',
  group: 'slurm',
  title: 'limits on jobs and requests',
  needs: ['slurm.version'],
  async run({ run, settings, profile, needed, signal }) {
    const config = await readSlurmConfig(run, { timeoutMs: 4_500, signal });
    return judgeLimits(needed('slurm.version') as ClusterInfo, config ?? new Map(), settings, profile);
  },
};
