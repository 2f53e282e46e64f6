import { userInfo } from 'node:os';
import type { CommandOptions, CommandResult, RunCommand } from '../../base/command.js';
import { parseConfigAnswer } from '../../slurm/site.js';
import { found, missing, type Found } from './found.js';

/** Default account and QOS of the operator's jobs. Null: not known. */
export interface SiteAssociation {
  account: string | null;
  qos: string | null;
  /** All accounts that the operator can use. */
  accounts: readonly string[];
}

export interface Gpus {
  partition: string;
  /** As in `sinfo`: `gpu:a100:4`. */
  gres: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Queries Slurm's accounting, if the cluster has one. */
export async function findAssociation(
  run: RunCommand,
  env: Env,
  options: CommandOptions,
): Promise<Found<SiteAssociation>> {
  const user = env['USER'] || env['LOGNAME'] || userInfo().username;
  // the database may contain accounts of other clusters
  const config = parseConfigAnswer(await run('scontrol', ['show', 'config'], options));
  const cluster = config?.get('ClusterName');
  const filter = cluster === undefined ? [] : [`cluster=${cluster}`];
  const [defaults, all] = await Promise.all([
    run(
      'sacctmgr',
      [...quiet, 'show', 'user', user, 'withassoc', ...filter, 'format=DefaultAccount'],
      options,
    ),
    run(
      'sacctmgr',
      [...quiet, 'show', 'assoc', `user=${user}`, ...filter, 'format=Account,DefaultQOS'],
      options,
    ),
  ]);
  const rows = lines(all).map((line) => line.split('|'));
  const accounts = [...new Set(rows.map(([account = '']) => account).filter((name) => name !== ''))];
  const account = lines(defaults)[0] || accounts[0];
  if (account === undefined) return missing('Slurm reports no account');
  const qos = rows.find(([name, value]) => name === account && value !== '')?.[1];
  return found({ account, qos: qos ?? null, accounts });
}

const quiet = ['--noheader', '--parsable2', '--readonly'];

/** Partitions whose nodes have a generic resource `gpu`. */
export async function findGpus(run: RunCommand, options: CommandOptions): Promise<Found<readonly Gpus[]>> {
  // without --all, to leave out hidden partitions
  const answer = await run('sinfo', ['--noheader', '--format=%R|%G'], options);
  const gpus = readGpus(lines(answer));
  return gpus.length === 0 ? missing('no partition reports GPUs') : found(gpus);
}

/** Parses lines such as `gpu|gpu:a100:4(S:0-1),lustre:1`; of several kinds in a partition, the first one counts. */
export function readGpus(rows: readonly string[]): Gpus[] {
  const gpus = new Map<string, string>();
  for (const row of rows) {
    const [partition = '', resources = ''] = row.split('|');
    // parentheses contain a list of sockets, with commas
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
