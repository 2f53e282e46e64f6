import { userInfo } from 'node:os';
import type { CommandOptions, RunCommand } from '../../base/command.js';
import { parseSlurmDuration } from '../../slurm/commands/values.js';
import type { ClusterInfo } from '../../slurm/site.js';
import { parseTres, type Tres } from './tres.js';

/** Limits on resources, named as Slurm's documentation names them. */
export type TresLimit =
  | 'MaxTRES'
  | 'MaxTRESPerNode'
  | 'MaxTRESMins'
  | 'MinTRES'
  | 'GrpTRES'
  | 'GrpTRESMins'
  | 'GrpTRESRunMins'
  | 'MaxTRESPerUser'
  | 'MaxTRESPerAccount';

/** Limits of one QOS or association. What is not set is null or not in the map. */
export interface Limits {
  /** Display name: `QOS short`, `account path`. */
  of: string;
  /** Seconds. */
  maxWall: number | null;
  tres: ReadonlyMap<TresLimit, Tres>;
  /** Job counts by name of the limit: `MaxJobs`, `GrpSubmitJobs`. */
  jobs: ReadonlyMap<string, number>;
  /** What all jobs together have used, as `GrpTRESMins` counts it: amounts times minutes. Absent where that is not set, or unknown. */
  used?: Tres;
}

/** A user's accounting limits on this cluster. */
export interface AccountingLimits {
  /** Whether the site enforces limits; otherwise they are only noted. */
  isEnforced: boolean;
  /** Whether a job starts only if `GrpTRESMins` lets it run to its time limit (`AccountingStorageEnforce=safe`). */
  isSafe: boolean;
  defaultAccount: string | null;
  /** By account. */
  defaultQos: ReadonlyMap<string, string>;
  qos: ReadonlyMap<string, Limits>;
  /** By account: the user's own association, then the account, then the accounts above it. */
  associations: ReadonlyMap<string, readonly Limits[]>;
}

/** Columns of `sacctmgr show` and the limit in each. All exist since 20.11. */
type Columns = readonly (readonly [column: string, limit: string])[];

const associationColumns: Columns = [
  ['MaxWall', 'MaxWall'],
  ['MaxTRES', 'MaxTRES'],
  ['MaxTRESPerNode', 'MaxTRESPerNode'],
  ['MaxTRESMins', 'MaxTRESMins'],
  ['GrpTRES', 'GrpTRES'],
  ['GrpTRESMins', 'GrpTRESMins'],
  ['GrpTRESRunMins', 'GrpTRESRunMins'],
  ['MaxJobs', 'MaxJobs'],
  ['MaxSubmitJobs', 'MaxSubmitJobs'],
  ['GrpJobs', 'GrpJobs'],
  ['GrpSubmitJobs', 'GrpSubmitJobs'],
];
const qosColumns: Columns = [
  ['MaxWall', 'MaxWall'],
  ['MaxTRES', 'MaxTRES'],
  ['MaxTRESPerNode', 'MaxTRESPerNode'],
  ['MaxTRESMins', 'MaxTRESMins'],
  ['MinTRES', 'MinTRES'],
  ['GrpTRES', 'GrpTRES'],
  ['GrpTRESMins', 'GrpTRESMins'],
  ['GrpTRESRunMins', 'GrpTRESRunMins'],
  ['MaxTRESPU', 'MaxTRESPerUser'],
  ['MaxTRESPA', 'MaxTRESPerAccount'],
  ['MaxJobsPU', 'MaxJobsPerUser'],
  ['MaxSubmitJobsPU', 'MaxSubmitJobsPerUser'],
  ['MaxJobsPA', 'MaxJobsPerAccount'],
  ['MaxSubmitJobsPA', 'MaxSubmitJobsPerAccount'],
  ['GrpJobs', 'GrpJobs'],
  ['GrpSubmitJobs', 'GrpSubmitJobs'],
];

function readLimits(of: string, columns: Columns, cells: readonly string[]): Limits {
  const tres = new Map<TresLimit, Tres>();
  const jobs = new Map<string, number>();
  let maxWall: number | null = null;
  for (const [index, [, limit]] of columns.entries()) {
    const text = cells[index] ?? '';
    if (limit === 'MaxWall') maxWall = parseSlurmDuration(text);
    else if (isTresLimit(limit)) tres.set(limit, parseTres(text));
    else if (/^\d+$/.test(text)) jobs.set(limit, Number(text));
  }
  return { of, maxWall, tres, jobs };
}

function isTresLimit(limit: string): limit is TresLimit {
  return limit.includes('TRES');
}

function accountName(account: string): string {
  return `account ${account}`;
}

function userName(user: string, account: string): string {
  return `${user} in account ${account}`;
}

function names(columns: Columns): string {
  return columns.map(([column]) => column).join(',');
}

/** Reads the limits of the calling user. @returns null if slurmdbd does not answer */
export async function readAccountingLimits(
  run: RunCommand,
  { cluster, enforced }: { cluster: string; enforced: ClusterInfo['enforced'] },
  options: CommandOptions,
): Promise<AccountingLimits | null> {
  const user = userInfo().username;
  // slurmdbd may serve other clusters, too
  const here = `cluster=${cluster}`;
  const show = async (...what: string[]): Promise<string[][] | null> => {
    const answer = await run('sacctmgr', ['--noheader', '--parsable2', 'show', ...what], options);
    if (answer.kind !== 'exited' || answer.exitCode !== 0) return null;
    const lines = answer.stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => line.split('|'));
  };
  const [own, qos, all] = await Promise.all([
    show('user', user, 'withassoc', here, 'format=Account,DefaultAccount,DefaultQOS'),
    show('qos', `format=Name,${names(qosColumns)}`),
    show('assoc', here, `format=Account,User,ParentName,${names(associationColumns)}`),
  ]);
  if (own === null || qos === null) return null;
  const parents = new Map<string, string>();
  const ofAccount = new Map<string, Limits>();
  const ofUser = new Map<string, Limits>();
  for (const [account = '', who = '', parent = '', ...cells] of all ?? []) {
    if (who === '') {
      parents.set(account, parent);
      ofAccount.set(account, readLimits(accountName(account), associationColumns, cells));
    } else if (who === user)
      ofUser.set(account, readLimits(userName(user, account), associationColumns, cells));
  }
  const levelsOf = (account: string): Limits[] => {
    const levels = [ofUser.get(account)];
    const seen = new Set<string>();
    for (let at = account; at !== '' && !seen.has(at); at = parents.get(at) ?? '') {
      seen.add(at);
      levels.push(ofAccount.get(at));
    }
    return levels.filter((each) => each !== undefined);
  };
  const limits: AccountingLimits = {
    isEnforced: enforced === null || enforced.some((word) => ['limits', 'safe', 'all'].includes(word)),
    isSafe: enforced?.some((word) => ['safe', 'all'].includes(word)) ?? false,
    defaultAccount: own.map(([, name]) => name).find((name) => name !== undefined && name !== '') ?? null,
    defaultQos: new Map(own.map(([account = '', , name = '']) => [account, name === '' ? 'normal' : name])),
    qos: new Map(qos.map(([name = '', ...cells]) => [name, readLimits(`QOS ${name}`, qosColumns, cells)])),
    associations: new Map(own.map(([account = '']) => [account, levelsOf(account)])),
  };
  const levels = [...limits.qos.values(), ...[...limits.associations.values()].flat()];
  if (!levels.some(({ tres }) => (tres.get('GrpTRESMins')?.size ?? 0) > 0)) return limits;
  const usage = await run('scontrol', ['--oneliner', 'show', 'assoc_mgr', 'flags=assoc,qos'], options);
  return usage.kind === 'exited' && usage.exitCode === 0
    ? withUsage(limits, parseUsage(usage.stdout, user))
    : limits;
}

/**
 * Parses `scontrol --oneliner show assoc_mgr`, which prints each limit with what is used of it: `GrpTRESMins=cpu=100(42),mem=N(7)`
 * (20.11 to 26.05).
 * @returns used amounts times minutes, by the display name of {@link Limits.of}
 */
export function parseUsage(text: string, user: string): Map<string, Tres> {
  const usage = new Map<string, Tres>();
  for (const line of text.split('\n')) {
    const used = /\bGrpTRESMins=(\S+)/.exec(line)?.[1];
    if (used === undefined) continue;
    const tres = parseTres(used.replaceAll(/=[^,(]*\((\d+)\)/g, '=$1'));
    const qos = /^QOS=([^\s(]+)/.exec(line)?.[1];
    if (qos !== undefined) usage.set(`QOS ${qos}`, tres);
    const [, account, who] = /\bAccount=(\S*) UserName=([^\s(]*)/.exec(line) ?? [];
    if (account === undefined) continue;
    if (who === '') usage.set(accountName(account), tres);
    else if (who === user) usage.set(userName(user, account), tres);
  }
  return usage;
}

function withUsage(limits: AccountingLimits, usage: ReadonlyMap<string, Tres>): AccountingLimits {
  const add = (level: Limits): Limits => {
    const used = usage.get(level.of);
    return used === undefined ? level : { ...level, used };
  };
  return {
    ...limits,
    qos: new Map([...limits.qos].map(([name, level]) => [name, add(level)])),
    associations: new Map([...limits.associations].map(([name, levels]) => [name, levels.map(add)])),
  };
}
