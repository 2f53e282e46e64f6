import { mkdirSync, rmdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';

import { silentLog } from '../../src/base/log.js';
import { startSlurm, type SlurmService } from '../../src/sandbox/services/slurm.js';

/** A Slurm whose partitions bring jobs into the states that a healthy cluster rarely shows. */
export interface StatesSite {
  dir: string;
  slurm: SlurmService;
  /** Whether the kernel lets this user limit memory, so that Slurm ends a job that exceeds its limit. */
  limitsMemory: boolean;
}

/**
 * - `quiet`: nothing special. `closed`: accepts jobs but starts none.
 * - `high`, `highcancel` and `highgrace` preempt `low`, `lowcancel` and `lowgrace`: their jobs are requeued or canceled. Each pair
 *   has a node of its own: what preempts a job takes all CPUs, also those of another test.
 * - `broken`: its prolog fails. `slow`: slurmctld's prolog and the node's epilog take four seconds.
 * - `full` has one node, and `dies` too, whose slurmd a test may stop.
 */
export async function startStatesSite(): Promise<StatesSite> {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-states-'));
  const home = join(dir, 'slurm');
  await mkdir(home);
  const script = async (name: string, body: string, by = 'SLURM_JOB_PARTITION'): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, `#!/bin/sh\ncase "$${by}" in\n${body}\nesac\nexit 0\n`);
    await chmod(path, 0o755);
    return path;
  };
  const limitsMemory = mayLimitMemory();
  if (limitsMemory) {
    await writeFile(
      join(home, 'cgroup.conf'),
      [
        // 20.11 refuses the key and knows no other version; newer releases find both where `unified` is mounted too
        ...((await knowsCgroupPlugin()) ? ['CgroupPlugin=cgroup/v1'] : []),
        'CgroupMountpoint=/sys/fs/cgroup',
        'ConstrainRAMSpace=yes',
        'ConstrainSwapSpace=yes',
        'AllowedSwapSpace=0',
        '',
      ].join('\n'),
    );
  }
  const slurm = await startSlurm({
    dir: home,
    nodes: 9,
    log: silentLog(),
    env: process.env,
    conf: [
      'SlurmdTimeout=5',
      'KillWait=1',
      'PreemptType=preempt/partition_prio',
      'PreemptMode=REQUEUE',
      `Prolog=${await script('prolog', 'broken) exit 1;;')}`,
      `PrologSlurmctld=${await script('prolog-slurmctld', 'slow) sleep 4;;')}`,
      // 20.11 does not tell an epilog the partition
      `Epilog=${await script('epilog', 'n8) sleep 4;;', 'SLURMD_NODENAME')}`,
      'PrologFlags=Alloc',
      ...(limitsMemory ? ['ProctrackType=proctrack/cgroup', 'TaskPlugin=task/cgroup'] : []),
      'PartitionName=quiet Nodes=n5,n6',
      'PartitionName=closed Nodes=n5 State=DOWN',
      'PartitionName=low Nodes=n1 PriorityTier=1 PreemptMode=REQUEUE',
      'PartitionName=high Nodes=n1 PriorityTier=9 PreemptMode=OFF',
      'PartitionName=lowcancel Nodes=n2 PriorityTier=1 PreemptMode=CANCEL',
      'PartitionName=highcancel Nodes=n2 PriorityTier=9 PreemptMode=OFF',
      'PartitionName=lowgrace Nodes=n9 PriorityTier=1 PreemptMode=CANCEL GraceTime=5',
      'PartitionName=highgrace Nodes=n9 PriorityTier=9 PreemptMode=OFF',
      'PartitionName=broken Nodes=n3',
      'PartitionName=dies Nodes=n4',
      'PartitionName=slow Nodes=n8',
      'PartitionName=full Nodes=n7',
    ],
  });
  return { dir, slurm, limitsMemory };
}

/** Slurm 22.05 was the first release with the key `CgroupPlugin`. */
async function knowsCgroupPlugin(): Promise<boolean> {
  const { stdout } = await execa('slurmd', ['-V']);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) * 100 + Number(minor) >= 22_05;
}

/** Version 1 of the kernel's control groups, and the right to make one that limits memory. */
function mayLimitMemory(): boolean {
  const probe = `/sys/fs/cgroup/memory/dsa-slurm-probe-${process.pid}`;
  try {
    mkdirSync(probe);
    rmdirSync(probe);
    return true;
  } catch {
    return false;
  }
}
