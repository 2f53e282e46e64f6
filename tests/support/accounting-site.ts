import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import { describeFailure, createRunner, type RunCommand } from '../../src/base/command.js';
import { silentLog } from '../../src/base/log.js';
import { startSlurm, type SlurmService } from '../../src/sandbox/services/slurm.js';

/** A Slurm that records its jobs with slurmdbd and enforces associations, limits and QOS. */
export interface AccountingSite {
  dir: string;
  slurm: SlurmService;
  /** Slurm's commands on this site. */
  run: RunCommand;
  /** Runs a command that must succeed. @returns its standard output */
  must(file: string, ...args: string[]): Promise<string>;
  /** `sacctmgr modify …`: `modify('qos', 'normal', 'GrpSubmitJobs=1')`. */
  modify(what: 'account' | 'qos' | 'user', name: string, change: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * The user of this process has two accounts, `path` (its default) and `research`, and the QOS `normal` and `short`.
 * There is a QOS that is not open to it (`secret`), and another cluster in the same database with an account `elsewhere`.
 * slurmctld forgets ended jobs after five seconds. `high` preempts `low`; `shut` is for tests that close it.
 */
export async function startAccountingSite(): Promise<AccountingSite> {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-acct-'));
  const home = join(dir, 'slurm');
  await mkdir(home);
  const user = userInfo().username;
  const slurm = await startSlurm({
    dir: home,
    nodes: 2,
    log: silentLog(),
    env: process.env,
    minJobAge: 5,
    accounting: {
      sacctmgr: [
        ['add', 'cluster', 'other'],
        ['add', 'qos', 'short'],
        ['add', 'qos', 'secret'],
        ['add', 'account', 'path', 'cluster=sandbox'],
        ['add', 'account', 'research', 'cluster=sandbox'],
        ['add', 'account', 'elsewhere', 'cluster=other'],
        ['add', 'user', user, 'account=path', 'cluster=sandbox'],
        ['add', 'user', user, 'account=research', 'cluster=sandbox'],
        ['add', 'user', user, 'account=elsewhere', 'cluster=other'],
        [
          'modify',
          'user',
          user,
          'where',
          'cluster=sandbox',
          'set',
          'DefaultAccount=path',
          'QOS=normal,short',
        ],
      ],
    },
    conf: [
      'KillWait=1',
      'AccountingStorageTRES=gres/gpu',
      // the default since 23.11; only with it does Slurm count what GrpTRESMins limits
      'PriorityType=priority/multifactor',
      'PartitionName=shut Nodes=n1',
      'PartitionName=fastonly Nodes=n1 AllowQos=short',
      'PartitionName=others Nodes=n1 AllowAccounts=research',
      'PartitionName=denied Nodes=n1 DenyAccounts=path DenyQos=short',
      'PartitionName=brief Nodes=n1 MaxTime=1',
      'PartitionName=small Nodes=n1 MaxCPUsPerNode=2 MaxMemPerNode=1000',
      'PartitionName=hidden Nodes=n1 Hidden=YES',
    ],
  });
  const run = createRunner({ env: { PATH: process.env['PATH'], ...slurm.env } });
  async function must(file: string, ...args: string[]): Promise<string> {
    const result = await run(file, args);
    if (result.kind !== 'exited' || result.exitCode !== 0)
      throw new Error(`${file} ${args.join(' ')}: ${describeFailure(result)}`);
    return result.stdout;
  }
  return {
    dir,
    slurm,
    run,
    must,
    async modify(what, name, change) {
      const where = what === 'qos' ? [name] : [name, 'where', 'cluster=sandbox'];
      await must('sacctmgr', '--immediate', 'modify', what, ...where, 'set', change);
    },
    async close() {
      await slurm.stop();
      await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
