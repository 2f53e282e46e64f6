import { describeFailure } from '../../../base/command.js';
import { patienceMs } from '../../../slurm/site.js';
import { jobKinds, type JobKind } from '../../../worker/job-request/resources.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, ok, warn } from '../../check-result.js';
import { readAccountingLimits, type AccountingLimits } from '../../job-limits/accounting-limits.js';
import {
  judgeJobStart,
  parsePartitionFacts,
  type PartitionFacts,
  type StartRequest,
} from '../../job-limits/judge-start.js';
import { readSlurmConfig } from '../../slurm-config.js';
import { hiddenFinding, isHidden } from './private-data.js';

/** Whether jobs that sbatch accepts would ever start. */
export const start: Check = {
  id: 'slurm.start',
  group: 'slurm',
  title: 'jobs can start',
  needs: ['slurm.version'],
  timeoutMs: 20_000,
  async run({ run, settings, profile, needed, signal }) {
    const site = needed('slurm.version');
    const options = { timeoutMs: patienceMs(site), signal };
    const [shown, config] = await Promise.all([
      run('scontrol', ['--all', '--oneliner', 'show', 'partition'], options),
      readSlurmConfig(run, options),
    ]);
    const problem = describeFailure(shown);
    if (problem !== '' || shown.kind !== 'exited') {
      const evidence = `scontrol did not show the limits of the partitions: ${problem}.`;
      return isHidden(problem) ? hiddenFinding(evidence) : warn(evidence, 'scontrol --all show partition');
    }
    const partitions = parsePartitionFacts(shown.stdout, config ?? new Map());
    const accounting =
      site.accounting === true && site.cluster !== null
        ? await readAccountingLimits(run, { ...site, cluster: site.cluster }, options)
        : null;
    const findings = jobKinds(settings.slurm).map((kind): Finding => {
      const request = new Map(kind.resources.map(({ option, value }) => [option, value]));
      const { forever: reasons, usedUp, notes } = judgeJobStart(request, partitions, accounting);
      if (reasons.length === 0 && usedUp.length > 0) {
        return {
          status: 'fail',
          evidence: usedUp.map(
            (reason) => `${kind.what} stay pending until usage decays or is reset: ${reason}.`,
          ),
          fix: 'scontrol show assoc_mgr flags=assoc,qos   # ask the administrators of the cluster for more computing time',
        };
      }
      if (reasons.length === 0) {
        return ok([
          `${kind.what}: no limit keeps them from starting`,
          ...notes.map(
            (note) => `${kind.what}: ${note}, which is not enforced here (AccountingStorageEnforce)`,
          ),
        ]);
      }
      return {
        status: 'fail',
        evidence: reasons.map((reason) => `${kind.what} would stay pending forever: ${reason}.`),
        fix: fixFor({ kind, request }, reasons, { partitions, accounting }, profile),
      };
    });
    return combine(findings);
  },
};

/** A setting that lets the job start, with values of this site; otherwise a command that shows them. */
function fixFor(
  { kind, request }: { kind: JobKind; request: StartRequest },
  reasons: readonly string[],
  site: { partitions: ReadonlyMap<string, PartitionFacts>; accounting: AccountingLimits | null },
  profile: string,
): string {
  if (kind.rule !== null) return `dsa-slurm config get slurm.rules   # change rule ${kind.rule}`;
  if (reasons.some((reason) => /MaxTime|MaxWall/.test(reason)) && reasons.length === 1) {
    const allowed = /allows (\d+)/.exec(reasons[0] ?? '')?.[1];
    if (allowed !== undefined) return configSet(profile, 'slurm.time', allowed);
  }
  const better = [...site.partitions.keys()].find((partition) => {
    const elsewhere = new Map([...request, ['partition', partition] as const]);
    return judgeJobStart(elsewhere, site.partitions, site.accounting).forever.length === 0;
  });
  return better === undefined
    ? 'scontrol show partition   # and: sacctmgr show qos'
    : configSet(profile, kind.gpu ? 'slurm.gpuPartition' : 'slurm.partition', better);
}
