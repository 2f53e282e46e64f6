import { describeFailure, type RunCommand } from '../../../base/command.js';
import type { Settings } from '../../../config/index.js';
import type { Partition, ClusterInfo } from '../../../slurm/site.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, count, fail, ok, warn } from '../../check-result.js';

/** Node states in which a node takes no job (sinfo(1)); a flag such as `*` or `~` follows some of them. */
const unusable = /^(down|drain|drained|draining|fail|failing|maint|unknown|err|error|future|inval|reboot)/i;

/** The partitions that jobs go to. Pure. */
export function judgePartitions(
  slurm: Pick<Settings['slurm'], 'partition' | 'gpuPartition'>,
  partitions: readonly Partition[],
  nodes: ReadonlyMap<string, readonly string[]>,
  profile: string,
): Finding {
  const names = partitions.map(({ name }) => name);
  const known = `There are: ${names.length === 0 ? 'none' : names.join(', ')}.`;
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
          `Partition ${name} takes no jobs: it is not up.`,
          `scontrol update PartitionName=${name} State=UP`,
        );
      }
      if (good === 0) {
        return warn(
          `No node of partition ${name} can run a job: ${states.length === 0 ? 'it has none' : [...new Set(states)].join(', ')}.`,
          `sinfo -R -p ${name}   # says why; then: scontrol update NodeName=<node> State=RESUME`,
        );
      }
      return ok(
        `${name}: ${count(good, 'node')} of ${states.length} fit for work${partition.timeLimit === null ? '' : `, jobs of ${partition.timeLimit / 3_600} h at most`}`,
      );
    }),
  );
}

/** sinfo did not list them; jobs may run all the same where PrivateData of slurm.conf hides them. */
async function hiddenPartitions(run: RunCommand, signal: AbortSignal): Promise<Finding> {
  const trouble = describeFailure(await run('sinfo', ['--all', '--noheader'], { timeoutMs: 4_500, signal }));
  const evidence = `sinfo did not list the partitions${trouble === '' ? '' : `: ${trouble}`}.`;
  return /permission denied/i.test(trouble)
    ? warn(
        [evidence, 'The site hides them (PrivateData of slurm.conf); jobs can run all the same.'],
        'scontrol show config | grep PrivateData   # ask the administrators of Slurm for operator rights',
      )
    : fail(evidence, 'sinfo --all');
}

export const partitions: Check = {
  id: 'slurm.partitions',
  group: 'slurm',
  title: 'partitions',
  needs: ['slurm.version'],
  async run({ run, settings, profile, needed, signal }) {
    const site = needed('slurm.version') as ClusterInfo;
    if (site.partitions === null) return hiddenPartitions(run, signal);
    const result = await run('sinfo', ['--all', '--noheader', '--Node', '--format=%R|%T'], {
      timeoutMs: 4_500,
      signal,
    });
    const nodes = new Map<string, string[]>();
    for (const line of result.kind === 'exited' ? result.stdout.split('\n') : []) {
      const [name, state] = line.trim().split('|');
      if (name === undefined || state === undefined) continue;
      nodes.set(name, [...(nodes.get(name) ?? []), state]);
    }
    return { ...judgePartitions(settings.slurm, site.partitions, nodes, profile), fact: site.partitions };
  },
};
