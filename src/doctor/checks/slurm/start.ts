import { userInfo } from 'node:os';
import { describeFailure, type CommandOptions, type RunCommand } from '../../../base/command.js';
import type { Settings } from '../../../config/index.js';
import type { ClusterInfo } from '../../../slurm/site.js';
import { parseSlurmDuration } from '../../../slurm/commands/values.js';
import { usualResources } from '../../../worker/job-request/resources.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, ok, warn } from '../../check-result.js';

/** Keys and values of `scontrol show partition`. */
export type PartitionFacts = ReadonlyMap<string, string>;

/** Limits of one QOS or association; null, or not in the map, if not set. */
export interface Limits {
  /** Display name: `QOS short`, `account path`. */
  of: string;
  /** Seconds. */
  maxWall: number | null;
  /** CPUs of one job (MaxTRES), and of all its jobs together (GrpTRES). */
  cpusOfJob: number | null;
  cpusOfAll: number | null;
  /** Job counts by name of the limit: `MaxJobs`, `MaxSubmitJobs`, `GrpJobs`, `GrpSubmitJobs`. */
  jobs: ReadonlyMap<string, number>;
}

/** A user's accounting limits on this cluster. */
export interface AccountingFacts {
  /** Whether the site enforces limits; otherwise they are only noted. */
  isEnforced: boolean;
  defaultAccount: string | null;
  /** By account. */
  defaultQos: ReadonlyMap<string, string>;
  qos: ReadonlyMap<string, Limits>;
  /** By account: the user's own association, then the account, then the accounts above it. */
  associations: ReadonlyMap<string, readonly Limits[]>;
}

/** What a kind of job requests. */
export interface StartRequest {
  /** Display name: `jobs`, `jobs of rule 2`. */
  what: string;
  partition: string | null;
  account: string | null;
  qos: string | null;
  time: string | null;
  cpus: number;
}

/** Why jobs would stay pending forever, and limits that would cause it if the site enforced them (`notes`). */
export interface StartJudgment {
  forever: string[];
  notes: string[];
}

/**
 * Judges whether jobs would ever start. Unless EnforcePartLimits is set, sbatch accepts jobs that cannot, and
 * `sbatch --test-only` even shows a start time (20.11 to 24.11).
 */
export function judgeStart(
  request: StartRequest,
  partitions: ReadonlyMap<string, PartitionFacts>,
  accounting: AccountingFacts | null,
): StartJudgment {
  const standard = [...partitions].find(([, facts]) => facts.get('Default') === 'YES')?.[0];
  const name = request.partition ?? standard;
  const account = request.account ?? accounting?.defaultAccount ?? null;
  const qos = request.qos ?? (account === null ? null : (accounting?.defaultQos.get(account) ?? null));
  const minutes = request.time === null ? null : requestedMinutes(request.time);
  const forever: string[] = [];
  const limits = new Set<string>();
  for (const each of (name ?? '').split(',')) {
    const facts = partitions.get(each);
    if (facts === undefined) continue;
    const refused = (allow: string, deny: string, value: string | null, noun: string): void => {
      if (value === null) return;
      const allowed = list(facts.get(allow));
      const denied = list(facts.get(deny));
      if (allowed !== null && !allowed.includes(value.toLowerCase()))
        forever.push(`partition ${each} accepts only ${noun} ${allowed.join(', ')}, not ${value}`);
      if (denied?.includes(value.toLowerCase()) === true)
        forever.push(`partition ${each} does not accept ${noun} ${value}`);
    };
    refused('AllowAccounts', 'DenyAccounts', account, 'account');
    refused('AllowQos', 'DenyQos', qos, 'QOS');
    const max = parseSlurmDuration(facts.get('MaxTime') ?? '');
    if (max !== null && minutes !== null && minutes * 60 > max)
      forever.push(`partition ${each} allows ${max / 60} min (MaxTime), not ${minutes} min`);
    if (facts.get('MaxNodes') === '0') forever.push(`partition ${each} allows no nodes (MaxNodes)`);
    const levels = [facts.get('QoS'), qos].flatMap((of) => accounting?.qos.get(of ?? '') ?? []);
    levels.push(...(accounting?.associations.get(account ?? '') ?? []));
    for (const reason of judgeLevels(levels, request.cpus, minutes)) limits.add(reason);
  }
  return accounting?.isEnforced === true
    ? { forever: [...forever, ...limits], notes: [] }
    : { forever, notes: [...limits] };
}

/**
 * For each limit, the first level that sets it counts: the partition's QOS, the job's QOS, the user's association, its account,
 * the parent accounts (Slurm's resource_limits page). Group limits apply at each association.
 */
function judgeLevels(levels: readonly Limits[], cpus: number, minutes: number | null): string[] {
  const reasons: string[] = [];
  const wall = levels.find(({ maxWall }) => maxWall !== null);
  if (wall !== undefined && minutes !== null && minutes * 60 > (wall.maxWall ?? Infinity))
    reasons.push(`${wall.of} allows ${(wall.maxWall ?? 0) / 60} min (MaxWall), not ${minutes} min`);
  const one = levels.find(({ cpusOfJob }) => cpusOfJob !== null);
  if (one !== undefined && cpus > (one.cpusOfJob ?? Infinity))
    reasons.push(`${one.of} allows a job ${one.cpusOfJob} CPUs (MaxTRES), not ${cpus}`);
  for (const { of, cpusOfAll } of levels) {
    if (cpusOfAll !== null && cpus > cpusOfAll)
      reasons.push(
        `${of} allows all jobs together ${cpusOfAll} CPUs (GrpTRES), and one job requests ${cpus}`,
      );
  }
  for (const { of, jobs } of levels) {
    for (const [limit, count] of jobs) if (count === 0) reasons.push(`${of} allows no jobs (${limit})`);
  }
  return reasons;
}

/** Parses a list of names; null for no restriction. */
function list(text: string | undefined): string[] | null {
  if (text === undefined || /^(ALL|N\/A|\(null\)|)$/i.test(text)) return null;
  return text.split(',').map((name) => name.trim().toLowerCase());
}

/** Minutes of sbatch's `--time`: minutes, `h:m:s`, `m:s`, `d-h[:m[:s]]`; null if invalid. */
function requestedMinutes(text: string): number | null {
  const [, days, clock] = /^(?:(\d+)-)?([\d:]+)$/.exec(text) ?? [];
  if (clock === undefined) return null;
  const [a = 0, b = 0, c = 0] = clock.split(':').map(Number);
  if (days !== undefined) return Number(days) * 1_440 + a * 60 + b + c / 60;
  const parts = clock.split(':').length;
  if (parts === 3) return a * 60 + b + c / 60;
  return parts === 2 ? a + b / 60 : a;
}

/** Parses `scontrol --oneliner show partition`. */
export function parsePartitionFacts(text: string): Map<string, PartitionFacts> {
  const partitions = new Map<string, PartitionFacts>();
  for (const line of text.split('\n')) {
    const facts = new Map([...line.matchAll(/(\w+)=(\S*)/g)].map(([, key = '', value = '']) => [key, value]));
    const name = facts.get('PartitionName');
    if (name !== undefined) partitions.set(name, facts);
  }
  return partitions;
}

function cpusIn(tres: string | undefined): number | null {
  const found = /(?:^|,)cpu=(\d+)/.exec(tres ?? '')?.[1];
  return found === undefined ? null : Number(found);
}

/** Limit columns of sacctmgr, for associations and QOS. */
const limitColumns = [
  'MaxWall',
  'MaxTRES',
  'GrpTRES',
  'MaxJobs',
  'MaxSubmitJobs',
  'GrpJobs',
  'GrpSubmitJobs',
];
const qosColumns = limitColumns.map((name) => name.replace(/^Max(Jobs|SubmitJobs)$/, 'Max$1PU'));

function readLimits(of: string, cells: readonly string[]): Limits {
  const [wall = '', ofJob, ofAll, ...counts] = cells;
  const jobs = counts.flatMap((text, index) =>
    /^\d+$/.test(text) ? [[limitColumns[index + 3] ?? '', Number(text)] as const] : [],
  );
  return {
    of,
    maxWall: parseSlurmDuration(wall),
    cpusOfJob: cpusIn(ofJob),
    cpusOfAll: cpusIn(ofAll),
    jobs: new Map(jobs),
  };
}

async function readAccounting(
  run: RunCommand,
  { cluster, enforced }: { cluster: string; enforced: ClusterInfo['enforced'] },
  options: CommandOptions,
): Promise<AccountingFacts | null> {
  const user = userInfo().username;
  const quiet = ['--noheader', '--parsable2', 'show'];
  const here = `cluster=${cluster}`;
  const answers = await Promise.all([
    run(
      'sacctmgr',
      [...quiet, 'user', user, 'withassoc', here, 'format=Account,DefaultAccount,DefaultQOS'],
      options,
    ),
    run('sacctmgr', [...quiet, 'qos', `format=Name,${qosColumns.join(',')}`], options),
    run(
      'sacctmgr',
      [...quiet, 'assoc', here, `format=Account,User,ParentName,${limitColumns.join(',')}`],
      options,
    ),
  ]);
  const [own, qos, all] = answers.map((answer) =>
    answer.kind === 'exited' && answer.exitCode === 0
      ? answer.stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.split('|'))
      : null,
  );
  if (own === undefined || own === null || qos === undefined || qos === null) return null;
  const parents = new Map<string, string>();
  const ofAccount = new Map<string, Limits>();
  const ofUser = new Map<string, Limits>();
  for (const [account = '', who = '', parent = '', ...cells] of all ?? []) {
    if (who === '') {
      parents.set(account, parent);
      ofAccount.set(account, readLimits(`account ${account}`, cells));
    } else if (who === user) ofUser.set(account, readLimits(`${user} in account ${account}`, cells));
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
  return {
    isEnforced: enforced === null || enforced.some((word) => ['limits', 'safe', 'all'].includes(word)),
    defaultAccount: own.map(([, name]) => name).find((name) => name !== undefined && name !== '') ?? null,
    defaultQos: new Map(own.map(([account = '', , name = '']) => [account, name === '' ? 'normal' : name])),
    qos: new Map(qos.map(([name = '', ...cells]) => [name, readLimits(`QOS ${name}`, cells)])),
    associations: new Map(own.map(([account = '']) => [account, levelsOf(account)])),
  };
}

/** The kinds of jobs that result from the profile and its rules. */
export function startRequests(slurm: Settings['slurm']): StartRequest[] {
  const usual = (gpu: boolean, what: string): StartRequest => {
    const values = new Map(usualResources(slurm, gpu).map(({ option, value }) => [option, value]));
    const of = (option: string): string | null => values.get(option) ?? null;
    const cpus = Number(of('cpus-per-task') ?? 1);
    return {
      what,
      partition: of('partition'),
      account: of('account'),
      qos: of('qos'),
      time: of('time'),
      cpus,
    };
  };
  const rules = slurm.rules.map((rule, index): StartRequest => {
    const base = usual(rule.gpu === true, `jobs of rule ${index + 1} of slurm.rules`);
    return {
      ...base,
      partition: rule.partition ?? base.partition,
      account: rule.account ?? base.account,
      qos: rule.qos ?? base.qos,
      time: rule.time ?? base.time,
      cpus: rule.cpus ?? base.cpus,
    };
  });
  return [
    usual(false, 'jobs'),
    ...(slurm.gpuPartition === null ? [] : [usual(true, 'jobs that need a GPU')]),
    ...rules,
  ];
}

/** Whether jobs that sbatch accepts would ever start. */
export const start: Check = {
  id: 'slurm.start',
  group: 'slurm',
  title: 'jobs can start',
  needs: ['slurm.version'],
  async run({ run, settings, profile, needed, signal }) {
    const site = needed('slurm.version');
    const options = { timeoutMs: 4_500, signal };
    const shown = await run('scontrol', ['--all', '--oneliner', 'show', 'partition'], options);
    if (shown.kind !== 'exited' || shown.exitCode !== 0)
      return warn(`scontrol show partition ${describeFailure(shown)}.`, 'scontrol --all show partition');
    const partitions = parsePartitionFacts(shown.stdout);
    const accounting =
      site.accounting === true && site.cluster !== null
        ? await readAccounting(run, { ...site, cluster: site.cluster }, options)
        : null;
    const requests = startRequests(settings.slurm);
    const findings: Finding[] = requests.map((request) => {
      const { forever: reasons, notes } = judgeStart(request, partitions, accounting);
      if (reasons.length === 0) {
        return ok([
          `${request.what}: no limit keeps them from starting`,
          ...notes.map(
            (note) => `${request.what}: ${note}, which is not enforced here (AccountingStorageEnforce)`,
          ),
        ]);
      }
      return {
        status: 'fail',
        evidence: reasons.map((reason) => `${request.what} would stay pending forever: ${reason}.`),
        fix: fixFor(request, reasons, partitions, accounting, profile),
      };
    });
    return combine(findings);
  },
};

/** A setting that lets the job start, with values of this site; otherwise a command that shows them. */
function fixFor(
  request: StartRequest,
  reasons: readonly string[],
  partitions: ReadonlyMap<string, PartitionFacts>,
  accounting: AccountingFacts | null,
  profile: string,
): string {
  if (request.what.includes('rule')) return 'dsa-slurm config get slurm.rules   # change the rule';
  if (reasons.some((reason) => /MaxTime|MaxWall/.test(reason)) && reasons.length === 1) {
    const allowed = /allows (\d+)/.exec(reasons[0] ?? '')?.[1];
    if (allowed !== undefined) return configSet(profile, 'slurm.time', allowed);
  }
  const better = [...partitions.keys()].find(
    (partition) => judgeStart({ ...request, partition }, partitions, accounting).forever.length === 0,
  );
  return better === undefined
    ? 'scontrol show partition   # and: sacctmgr show qos'
    : configSet(profile, 'slurm.partition', better);
}
