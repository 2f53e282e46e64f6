import { describeFailure } from '../../../base/command.js';
import type { Settings } from '../../../config/index.js';
import { parseSlurmNumber } from '../../../slurm/commands/values.js';
import { patienceMs, shortestPollSeconds, type ClusterInfo } from '../../../slurm/site.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, fail, ok, skip, warn } from '../../check-result.js';
import { readSlurmConfig } from '../../slurm-config.js';

/** Whether accounting records how jobs ended. */
export const accounting: Check = {
  id: 'slurm.accounting',
  group: 'slurm',
  title: 'accounting',
  needs: ['slurm.version'],
  async run({ run, signal, needed }) {
    const site = needed('slurm.version');
    switch (site.accounting) {
      case true: {
        const answer = await run('sacctmgr', ['--noheader', 'show', 'cluster'], { timeoutMs: 4_500, signal });
        const problem = describeFailure(answer);
        return problem === ''
          ? ok('enabled: job outcomes stay available')
          : warn(
              ['slurmdbd does not answer: runs wait for the outcomes of their jobs.', `sacctmgr ${problem}`],
              'systemctl status slurmdbd   # on the host of AccountingStorageHost',
            );
      }
      case false:
        return ok(
          'disabled: after MinJobAge, only the exit record of the submit script shows how a job ended',
        );
      case null:
        return skip('Slurm did not report whether it has accounting');
    }
  },
};

/** Compares how long the controller remembers ended jobs with the poll interval. */
export function judgeMinJobAge(site: ClusterInfo, pollSeconds: number, profile: string): Finding {
  const { minJobAge } = site;
  if (minJobAge === null) return skip('Slurm did not report MinJobAge');
  if (minJobAge === 0) return ok('MinJobAge is 0: the controller never forgets a job');
  const evidence = `The controller forgets a job ${minJobAge} s after its end (MinJobAge); the poll interval is ${pollSeconds} s.`;
  if (minJobAge >= 3 * pollSeconds) return ok(evidence);
  const fix = configSet(profile, 'slurm.pollSeconds', String(Math.max(1, Math.floor(minJobAge / 3))));
  return site.accounting === true
    ? warn(evidence, fix)
    : fail(`${evidence} Without accounting, the ends of jobs will be missed.`, fix);
}

export const minJobAge: Check = {
  id: 'slurm.min-job-age',
  group: 'slurm',
  title: 'memory of ended jobs',
  needs: ['slurm.version'],
  run: async ({ needed, settings, profile }) =>
    judgeMinJobAge(needed('slurm.version'), settings.slurm.pollSeconds, profile),
};

/** Compares the controller's limits with the worker's. */
export function judgeLimits(
  site: ClusterInfo,
  config: ReadonlyMap<string, string>,
  settings: Pick<Settings, 'worker' | 'slurm'>,
  profile: string,
): Finding {
  const findings: Finding[] = [];
  const maxJobs = parseSlurmNumber(config.get('MaxJobCount') ?? '');
  if (maxJobs !== null) {
    const evidence = `The cluster allows ${maxJobs} jobs (MaxJobCount); this worker submits up to ${settings.worker.inFlight} (worker.inFlight).`;
    findings.push(
      settings.worker.inFlight > maxJobs / 2
        ? warn(evidence, configSet(profile, 'worker.inFlight', String(Math.max(1, Math.floor(maxJobs / 2)))))
        : ok(evidence),
    );
  }
  const { rateLimit } = site;
  if (rateLimit === null) {
    findings.push(ok('no rate limit on requests'));
  } else {
    const { pollSeconds } = settings.slurm;
    const least = Math.ceil(shortestPollSeconds(site));
    const evidence = `The controller allows each user ${rateLimit.perSecond} requests per second and bursts of ${rateLimit.burst}; one squeue every ${least} s uses a quarter of that, and slurm.pollSeconds is ${pollSeconds}.`;
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
  timeoutMs: 20_000,
  async run({ run, settings, profile, needed, signal }) {
    const site = needed('slurm.version');
    const config = await readSlurmConfig(run, { timeoutMs: patienceMs(site), signal });
    return judgeLimits(site, config ?? new Map(), settings, profile);
  },
};
