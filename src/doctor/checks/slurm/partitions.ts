import { describeFailure, type RunCommand } from '../../../base/command.js';
import type { Settings } from '../../../config/index.js';
import { patienceMs, type Partition } from '../../../slurm/site.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, count, fail, ok, warn } from '../../check-result.js';
import { hiddenFinding, isHidden } from './private-data.js';

/** States in which a node accepts no jobs (sinfo(1)); some have a suffix such as `*` or `~`. */
const unusable = /^(down|drain|drained|draining|fail|failing|maint|unknown|err|error|future|inval|reboot)/i;

/** Judges the configured partitions. */
export function judgePartitions(
  slurm: Pick<Settings['slurm'], 'partition' | 'gpuPartition'>,
  partitions: readonly Partition[],
  nodes: ReadonlyMap<string, readonly string[]>,
  profile: string,
): Finding {
  const names = partitions.map(({ name }) => name);
  const known = `Available: ${names.length === 0 ? 'none' : names.join(', ')}.`;
  const example = names[0] ?? 'batch';
  const wanted: (readonly [key: string, name: string])[] = [
    ...(slurm.partition ?? '').split(',').map((name) => ['slurm.partition', name] as const),
    ...(slurm.gpuPartition ?? '').split(',').map((name) => ['slurm.gpuPartition', name] as const),
  ].filter(([, name]) => name !== '');
  if (slurm.partition === null) {
    const standard = partitions.find(({ isDefault }) => isDefault);
    if (standard === undefined) {
      return fail(
        `slurm.partition is not set and Slurm has no default partition. ${known}`,
        configSet(profile, 'slurm.partition', example),
      );
    }
    wanted.unshift(['slurm.partition', standard.name]);
  }
  return combine(
    wanted.map(([key, name]) => {
      const partition = partitions.find((candidate) => candidate.name === name);
      if (partition === undefined) {
        return fail(`${key}: Slurm has no partition "${name}". ${known}`, configSet(profile, key, example));
      }
      const states = nodes.get(name) ?? [];
      const good = states.filter((state) => !unusable.test(state)).length;
      if (!partition.up) {
        return warn(
          `Partition ${name} accepts no jobs: it is not up.`,
          `scontrol update PartitionName=${name} State=UP`,
        );
      }
      if (good === 0) {
        return warn(
          `No node of partition ${name} can run a job: ${states.length === 0 ? 'it has none' : [...new Set(states)].join(', ')}.`,
          `sinfo -R -p ${name}   # shows why; then: scontrol update NodeName=<node> State=RESUME`,
        );
      }
      return ok(
        `${name}: ${count(good, 'node')} of ${states.length} usable${partition.timeLimit === null ? '' : `, time limit ${partition.timeLimit / 3_600} h`}`,
      );
    }),
  );
}

/** sinfo did not list partitions; with PrivateData in slurm.conf, jobs may run nevertheless. */
async function hiddenPartitions(run: RunCommand, signal: AbortSignal): Promise<Finding> {
  const problem = describeFailure(await run('sinfo', ['--all', '--noheader'], { timeoutMs: 4_500, signal }));
  const evidence = `sinfo did not list the partitions${problem === '' ? '' : `: ${problem}`}.`;
  return isHidden(problem) ? hiddenFinding(evidence) : fail(evidence, 'sinfo --all');
}

export const partitions: Check<'slurm.partitions'> = {
  id: 'slurm.partitions',
  group: 'slurm',
  title: 'partitions',
  needs: ['slurm.version'],
  timeoutMs: 20_000,
  async run({ run, settings, profile, needed, signal }) {
    const site = needed('slurm.version');
    if (site.partitions === null) return hiddenPartitions(run, signal);
    const result = await run('sinfo', ['--all', '--noheader', '--Node', '--format=%R|%T'], {
      timeoutMs: patienceMs(site),
      signal,
    });
    const problem = describeFailure(result);
    if (problem !== '') {
      const evidence = `sinfo did not list the nodes: ${problem}.`;
      const finding = isHidden(problem) ? hiddenFinding(evidence) : warn(evidence, 'sinfo --all --Node');
      return { ...finding, fact: site.partitions };
    }
    const nodes = new Map<string, string[]>();
    for (const line of result.kind === 'exited' ? result.stdout.split('\n') : []) {
      const [name, state] = line.trim().split('|');
      if (name === undefined || state === undefined) continue;
      nodes.set(name, [...(nodes.get(name) ?? []), state]);
    }
    return { ...judgePartitions(settings.slurm, site.partitions, nodes, profile), fact: site.partitions };
  },
};
