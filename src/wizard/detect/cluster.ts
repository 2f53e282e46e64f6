import { userInfo } from 'node:os';
import type { CommandOptions, CommandResult, RunCommand } from '../../base/command.js';
import { found, missing, type Found } from './found.js';

/** What jobs of the operator are charged to when nothing is said. Null: Slurm does not tell. */
export interface Association {
  account: string | null;
  qos: string | null;
  /** All accounts that may be named. */
  accounts: readonly string[];
}

export interface Gpus {
  partition: string;
  /** `gpu:a100:4` as a node has them. */
  gres: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Asks the accounting; a cluster without one has no accounts. */
export async function findAssociation(
  run: RunCommand,
  env: Env,
  options: CommandOptions,
): Promise<Found<Association>> {
  const user = env['USER'] || env['LOGNAME'] || userInfo().username;
  // the same database may serve other clusters, whose accounts cannot be charged here
  const config = lines(await run('scontrol', ['show', 'config'], options));
  const cluster = config.map((line) => /^ClusterName\s*=\s*(\S+)/.exec(line)?.[1]).find(Boolean);
  const here = cluster === undefined ? [] : [`cluster=${cluster}`];
  const [defaults, all] = await Promise.all([
    run('sacctmgr', [...quiet, 'show', 'user', user, 'withassoc', ...here, 'format=DefaultAccount'], options),
    run(
      'sacctmgr',
      [...quiet, 'show', 'assoc', `user=${user}`, ...here, 'format=Account,DefaultQOS'],
      options,
    ),
  ]);
  const rows = lines(all).map((line) => line.split('|'));
  const accounts = [...new Set(rows.map(([account = '']) => account).filter((name) => name !== ''))];
  const account = lines(defaults)[0] || accounts[0];
  if (account === undefined) return missing('Slurm tells of no account');
  const qos = rows.find(([name, value]) => name === account && value !== '')?.[1];
  return found({ account, qos: qos ?? null, accounts });
}

const quiet = ['--noheader', '--parsable2', '--readonly'];

/** Partitions whose nodes have a generic resource `gpu`. */
export async function findGpus(run: RunCommand, options: CommandOptions): Promise<Found<readonly Gpus[]>> {
  // without --all: a hidden partition is not proposed
  const answer = await run('sinfo', ['--noheader', '--format=%R|%G'], options);
  const gpus = readGpus(lines(answer));
  return gpus.length === 0 ? missing('no partition tells of GPUs') : found(gpus);
}

/** `gpu|gpu:a100:4(S:0-1),lustre:1` per line; of several kinds in one partition the first is taken. */
export function readGpus(rows: readonly string[]): Gpus[] {
  const gpus = new Map<string, string>();
  for (const row of rows) {
    const [partition = '', resources = ''] = row.split('|');
    // commas also stand between the sockets in brackets
    const bare = resources.replaceAll(/\([^)]*\)/g, '');
    const gres = bare.split(',').find((word) => /^gpu(:|$)/.test(word.trim()));
    if (gres !== undefined && partition !== '' && !gpus.has(partition)) gpus.set(partition, gres.trim());
  }
  return [...gpus].map(([partition, gres]) => ({ partition, gres }));
}

function lines(answer: CommandResult): string[] {
  if (answer.kind !== 'exited' || answer.exitCode !== 0) return [];
  return answer.stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
