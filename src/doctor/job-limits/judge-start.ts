import { parseSlurmDuration } from '../../slurm/commands/values.js';
import type { AccountingLimits, Limits, TresLimit } from './accounting-limits.js';
import { amountText, requestedTres, type Tres } from './tres.js';

/** Keys and values of `scontrol show partition`. */
export type PartitionFacts = ReadonlyMap<string, string>;

/** sbatch options of a job, by long name. */
export type StartRequest = ReadonlyMap<string, string | null>;

/** Why jobs would stay pending. */
export interface StartJudgment {
  forever: string[];
  /** Computing time that is used up, until the usage decays or is reset. */
  usedUp: string[];
  /** Limits that would keep jobs pending if the site enforced them. */
  notes: string[];
}

/**
 * Parses `scontrol --oneliner show partition`.
 * @param config slurm.conf, whose default memory applies to partitions that have none of their own
 */
export function parsePartitionFacts(
  text: string,
  config: ReadonlyMap<string, string>,
): Map<string, PartitionFacts> {
  const partitions = new Map<string, PartitionFacts>();
  for (const line of text.split('\n')) {
    const facts = new Map([...line.matchAll(/(\w+)=(\S*)/g)].map(([, key = '', value = '']) => [key, value]));
    const name = facts.get('PartitionName');
    for (const key of ['DefMemPerCPU', 'DefMemPerNode']) {
      const usual = config.get(key);
      if (usual !== undefined && !facts.has('DefMemPerCPU') && !/^\d/.test(facts.get('DefMemPerNode') ?? ''))
        facts.set(key, usual);
    }
    if (name !== undefined) partitions.set(name, facts);
  }
  return partitions;
}

/**
 * Judges whether jobs would ever start. Unless EnforcePartLimits is set, sbatch accepts jobs that cannot, and
 * `sbatch --test-only` even shows a start time (20.11 to 26.05).
 */
export function judgeJobStart(
  request: StartRequest,
  partitions: ReadonlyMap<string, PartitionFacts>,
  accounting: AccountingLimits | null,
): StartJudgment {
  const standard = [...partitions].find(([, facts]) => facts.get('Default') === 'YES')?.[0];
  const account = request.get('account') ?? accounting?.defaultAccount ?? null;
  const qos = request.get('qos') ?? (account === null ? null : (accounting?.defaultQos.get(account) ?? null));
  const time = request.get('time') ?? null;
  const minutes = time === null ? null : requestedMinutes(time);
  const forever: string[] = [];
  const limits = new Set<string>();
  const usedUp = new Set<string>();
  for (const name of (request.get('partition') ?? standard ?? '').split(',')) {
    const facts = partitions.get(name);
    if (facts === undefined) continue;
    const tres = requestedTres(request, facts);
    forever.push(...judgePartition(name, facts, { account, qos, minutes, tres }));
    const levels = [facts.get('QoS'), qos].flatMap((of) => accounting?.qos.get(of ?? '') ?? []);
    levels.push(...(accounting?.associations.get(account ?? '') ?? []));
    const isSafe = accounting?.isSafe === true;
    for (const reason of judgeLevels(levels, tres, { minutes, isSafe })) limits.add(reason);
    for (const reason of judgeUsage(levels, tres, isSafe ? (minutes ?? 0) : 0)) usedUp.add(reason);
  }
  return accounting?.isEnforced === true
    ? { forever: [...forever, ...limits], usedUp: [...usedUp], notes: [] }
    : { forever, usedUp: [], notes: [...limits, ...usedUp] };
}

/** @param minutes for how long a job must be able to run before Slurm starts it */
function judgeUsage(levels: readonly Limits[], wanted: Tres, minutes: number): string[] {
  return levels.flatMap(({ of, tres, used }) =>
    [...(tres.get('GrpTRESMins') ?? [])].flatMap(([name, amount]) => {
      const requested = wanted.get(name);
      const gone = used?.get(name);
      // a limit that is too small for one job is a reason of its own
      if (requested === undefined || gone === undefined || requested * minutes > amount || amount === 0)
        return [];
      if (gone < amount && gone + requested * minutes <= amount) return [];
      return [`${of} has used ${gone} of ${amountText(name, amount)} times minutes (GrpTRESMins)`];
    }),
  );
}

function judgePartition(
  name: string,
  facts: PartitionFacts,
  request: { account: string | null; qos: string | null; minutes: number | null; tres: Tres },
): string[] {
  const reasons: string[] = [];
  const refused = (allow: string, deny: string, value: string | null, noun: string): void => {
    if (value === null) return;
    const allowed = list(facts.get(allow));
    const denied = list(facts.get(deny));
    if (allowed !== null && !allowed.includes(value.toLowerCase()))
      reasons.push(`partition ${name} accepts only ${noun} ${allowed.join(', ')}, not ${value}`);
    if (denied?.includes(value.toLowerCase()) === true)
      reasons.push(`partition ${name} does not accept ${noun} ${value}`);
  };
  refused('AllowAccounts', 'DenyAccounts', request.account, 'account');
  refused('AllowQos', 'DenyQos', request.qos, 'QOS');
  const { minutes } = request;
  const max = parseSlurmDuration(facts.get('MaxTime') ?? '');
  if (max !== null && minutes !== null && minutes * 60 > max)
    reasons.push(`partition ${name} allows ${max / 60} min (MaxTime), not ${minutes} min`);
  for (const [key, of] of [
    ['MaxNodes', 'node'],
    ['MaxCPUsPerNode', 'cpu'],
    ['MaxMemPerNode', 'mem'],
  ] as const) {
    const text = facts.get(key) ?? '';
    const wanted = request.tres.get(of);
    // no memory limit is `UNLIMITED`, in some releases 0
    if (!/^\d+$/.test(text) || wanted === undefined || (of !== 'node' && text === '0')) continue;
    if (wanted > Number(text))
      reasons.push(`partition ${name} allows a job ${amountText(of, Number(text))} (${key}), not ${wanted}`);
  }
  return reasons;
}

/** Limits of which, for each resource, only the first level that sets it counts; and how to say them. */
const firstLevelLimits: readonly (readonly [TresLimit, say: (allowed: string, wanted: number) => string])[] =
  [
    ['MaxTRES', (allowed, wanted) => `allows a job ${allowed} (MaxTRES), not ${wanted}`],
    [
      'MaxTRESPerNode',
      (allowed, wanted) => `allows a job ${allowed} on each node (MaxTRESPerNode), not ${wanted}`,
    ],
    [
      'MaxTRESPerUser',
      (allowed, wanted) =>
        `allows the jobs of a user together ${allowed} (MaxTRESPerUser), and one job requests ${wanted}`,
    ],
    [
      'MaxTRESPerAccount',
      (allowed, wanted) =>
        `allows the jobs of an account together ${allowed} (MaxTRESPerAccount), and one job requests ${wanted}`,
    ],
  ];

/**
 * For each limit, the first level that sets it counts: the partition's QOS, the job's QOS, the user's association, its account,
 * the parent accounts (Slurm's resource_limits page). Group limits apply at each level.
 */
function judgeLevels(
  levels: readonly Limits[],
  wanted: Tres,
  { minutes, isSafe }: { minutes: number | null; isSafe: boolean },
): string[] {
  const reasons: string[] = [];
  const wall = levels.find(({ maxWall }) => maxWall !== null);
  if (wall !== undefined && minutes !== null && minutes * 60 > (wall.maxWall ?? Infinity))
    reasons.push(`${wall.of} allows ${(wall.maxWall ?? 0) / 60} min (MaxWall), not ${minutes} min`);
  for (const [limit, say] of firstLevelLimits) {
    for (const [name, { of, amount }] of firstOfEach(levels, limit)) {
      const requested = wanted.get(name) ?? 0;
      if (requested > amount) reasons.push(`${of} ${say(amountText(name, amount), requested)}`);
    }
  }
  for (const [name, { of, amount }] of firstOfEach(levels, 'MinTRES')) {
    const requested = wanted.get(name) ?? (name === 'mem' ? Infinity : 0);
    if (requested < amount)
      reasons.push(`${of} requires a job to request ${amountText(name, amount)} (MinTRES), not ${requested}`);
  }
  for (const [name, { of, amount }] of firstOfEach(levels, 'MaxTRESMins')) {
    const requested = (wanted.get(name) ?? 0) * (minutes ?? 0);
    if (requested > amount)
      reasons.push(
        `${of} allows a job ${amountText(name, amount)} times minutes (MaxTRESMins), not ${requested}`,
      );
  }
  for (const { of, tres } of levels) {
    for (const [name, amount] of tres.get('GrpTRES') ?? []) {
      const requested = wanted.get(name) ?? 0;
      if (requested > amount)
        reasons.push(
          `${of} allows all jobs together ${amountText(name, amount)} (GrpTRES), and one job requests ${requested}`,
        );
    }
    for (const [limit, jobs, isChecked] of [
      ['GrpTRESMins', 'all jobs', isSafe],
      ['GrpTRESRunMins', 'running jobs', true],
    ] as const) {
      for (const [name, amount] of tres.get(limit) ?? []) {
        const requested = (wanted.get(name) ?? 0) * (minutes ?? 0);
        if ((isChecked && requested > amount) || (amount === 0 && wanted.has(name)))
          reasons.push(
            `${of} allows ${jobs} together ${amountText(name, amount)} times minutes (${limit}), and one job requests ${requested}`,
          );
      }
    }
  }
  for (const { of, jobs } of levels) {
    for (const [limit, count] of jobs) if (count === 0) reasons.push(`${of} allows no jobs (${limit})`);
  }
  return reasons;
}

/** By resource, the first level that limits it. */
function firstOfEach(
  levels: readonly Limits[],
  limit: TresLimit,
): Map<string, { of: string; amount: number }> {
  const first = new Map<string, { of: string; amount: number }>();
  for (const { of, tres } of levels) {
    for (const [name, amount] of tres.get(limit) ?? []) if (!first.has(name)) first.set(name, { of, amount });
  }
  return first;
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
