import { join } from 'node:path';
import type { HostAddress } from './host-address.js';

export interface SlurmConfInput {
  dir: string;
  /** Short: it holds Unix sockets. */
  spoolDir: string;
  mungeSocket: string;
  /** Login name under which the daemons run. */
  user: string;
  /** Address on which the daemons listen. */
  host: HostAddress;
  controllerPort: number;
  nodes: readonly { name: string; port: number }[];
  /** The first is the default. */
  partitions: readonly string[];
  minJobAge: number;
  /** Further lines; they override the parameters above, because Slurm takes the last value. */
  more?: readonly string[];
}

/** slurm.conf of several nodes on one machine. The last node has two GPUs, as far as Slurm is concerned. */
export function slurmConf(input: SlurmConfInput): string {
  const { dir, spoolDir, user, host, nodes } = input;
  const log = (name: string) => join(dir, 'log', name);
  const nodeList = nodes.map((node) => node.name).join(',');
  return [
    'ClusterName=sandbox',
    `SlurmctldHost=localhost(${host.address})`,
    `SlurmctldPort=${input.controllerPort}`,
    `SlurmUser=${user}`,
    `SlurmdUser=${user}`,
    'AuthType=auth/munge',
    `AuthInfo=socket=${input.mungeSocket}`,
    'CredType=cred/munge',
    `StateSaveLocation=${join(dir, 'state')}`,
    `SlurmdSpoolDir=${join(spoolDir, '%n')}`,
    `SlurmctldPidFile=${join(dir, 'slurmctld.pid')}`,
    `SlurmdPidFile=${join(dir, 'slurmd-%n.pid')}`,
    `SlurmctldLogFile=${log('slurmctld.log')}`,
    `SlurmdLogFile=${log('slurmd-%n.log')}`,
    `CommunicationParameters=${communicationParameters(host).join(',')}`,
    'SlurmctldSyslogDebug=quiet',
    'SlurmdSyslogDebug=quiet',
    // All nodes are this machine, and claim more CPUs and memory than it has.
    'SlurmdParameters=config_overrides',
    'ProctrackType=proctrack/linuxproc',
    'TaskPlugin=task/none',
    'JobAcctGatherType=jobacct_gather/none',
    'AccountingStorageType=accounting_storage/none',
    'JobCompType=jobcomp/none',
    'MpiDefault=none',
    'MailProg=/bin/true',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_CPU_Memory',
    'DefMemPerCPU=500',
    'GresTypes=gpu',
    'SchedulerType=sched/backfill',
    // Schedule at once: a sandbox should be fast.
    'SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=2',
    'KillWait=3',
    'ReturnToService=2',
    'SlurmdTimeout=60',
    'PropagateResourceLimits=NONE',
    'MaxJobCount=20000',
    `MinJobAge=${input.minJobAge}`,
    ...nodes.map(
      ({ name, port }, index) =>
        `NodeName=${name} NodeHostname=localhost NodeAddr=${host.address} Port=${port} CPUs=8 RealMemory=16000` +
        (index === nodes.length - 1 ? ' Gres=gpu:2' : ''),
    ),
    ...input.partitions.map(
      (name, index) =>
        `PartitionName=${name} Nodes=${nodeList} State=UP MaxTime=${index === 0 ? '1-00:00:00' : '7-00:00:00'}` +
        ` DefaultTime=1:00:00${index === 0 ? ' Default=YES' : ''}`,
    ),
    ...(input.more ?? []),
    '',
  ].join('\n');
}

/**
 * Daemons and commands listen only on the address of the host name, not on every interface. On Debian's 127.0.1.1 this
 * is true of slurmctld alone: srun would wait there forever, because the kernel sends its requests from 127.0.0.1, and
 * Slurm replies to where they came from.
 */
function communicationParameters({ address, enableIpv6 }: HostAddress): string[] {
  const isReached = address === '127.0.0.1' || !address.startsWith('127.');
  return ['NoCtldInAddrAny', ...(isReached ? ['NoInAddrAny'] : []), ...(enableIpv6 ? ['EnableIPv6'] : [])];
}
