import { memoryOption, parseMemory, timeLimitOption } from '../../slurm/requested.js';
import { matchingRule, type Rule } from '../job-request/rules.js';
import type { BatchRun } from './batch-run.js';

/** What runs of one analysis needed of a resource: bytes, milliseconds or CPUs. */
export interface Evidence {
  /** Half of the runs needed at most this, 95% at most that. */
  p50: number;
  p95: number;
  max: number;
  /** What the latest run requested; null if the partition decided. */
  requested: number | null;
  /** What is proposed. */
  proposed: number;
  /** Number of runs that needed more than is proposed. */
  above: number;
}

/** What is proposed for one image and CLI, or why nothing is. */
export interface Advice {
  image: string;
  cli: string;
  /** Runs that used a GPU are advised on their own. */
  gpu: boolean;
  /** Number of runs with a known usage: those that succeeded, or that ran out of memory or time. */
  runs: number;
  /** How many of them ran out of memory, and of time. */
  outOfMemory: number;
  outOfTime: number;
  memory: Evidence | null;
  time: Evidence | null;
  /** Null also where nothing would change. */
  cpus: Evidence | null;
  /** The rule for it, with what the rule that matches now says of other resources; null if there is no advice. */
  rule: Rule | null;
  /** Why there is no advice. */
  refusal: string | null;
}

export interface AdviceOptions {
  /** The setting `slurm.rules`. */
  rules: readonly Rule[];
  /** Number of runs below which nothing is proposed. */
  minRuns: number;
}

/** A run that was ended by a limit needed more: this many times the limit is assumed. */
const censoredFactor = 1.5;
/** Margins above the 95th percentile and above the maximum. A maximum that is far above most runs is left out. */
const memoryMargins = { percentile: 1.25, max: 1.1, outlier: 2 };
const timeMargins = { percentile: 1.5, max: 1.25, outlier: 3 };
const minTimeMs = 10 * 60_000;

/**
 * Proposes resources per image and CLI from what runs used. Pure.
 * @returns the analysis with the most runs first
 */
export function adviseResources(runs: Iterable<BatchRun>, options: AdviceOptions): Advice[] {
  const groups = new Map<string, BatchRun[]>();
  for (const run of runs) {
    if (!isEvidence(run)) continue;
    const key = JSON.stringify([run.image, run.cli, usedGpu(run)]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [run]);
    else group.push(run);
  }
  return [...groups.values()]
    .sort((a, b) => b.length - a.length)
    .flatMap((group) => {
      const [first] = group;
      return first === undefined ? [] : [adviceFor(first, group, options)];
    });
}

/** A failed analysis may have stopped early, and a canceled one did. */
function isEvidence({ usage, outcome, cause }: BatchRun): boolean {
  return usage !== null && (outcome === 'succeeded' || cause?.kind === 'memory' || cause?.kind === 'time');
}

function usedGpu({ requested, usage }: BatchRun): boolean {
  return (requested?.gpus ?? null) !== null || (usage?.gpus ?? 0) > 0;
}

function adviceFor(first: BatchRun, runs: readonly BatchRun[], { rules, minRuns }: AdviceOptions): Advice {
  const { image, cli } = first;
  const gpu = usedGpu(first);
  const ended = (kind: 'memory' | 'time'): number => runs.filter(({ cause }) => cause?.kind === kind).length;
  const advice = {
    image,
    cli,
    gpu,
    runs: runs.length,
    outOfMemory: ended('memory'),
    outOfTime: ended('time'),
  };
  if (runs.length < minRuns) {
    const refusal = `Only ${runs.length} of its runs have a known usage; ${minRuns} are needed.`;
    return { ...advice, memory: null, time: null, cpus: null, rule: null, refusal };
  }
  const memory = memoryEvidence(runs);
  const time = timeEvidence(runs);
  const cpus = cpuEvidence(runs);
  const { image: _image, cli: _cli, ...matching } = matchingRule(rules, { image, cli, gpu })?.rule ?? {};
  return {
    ...advice,
    memory,
    time,
    cpus,
    rule: {
      image,
      ...(cli === '' ? {} : { cli }),
      ...matching,
      ...(gpu ? { gpu } : {}),
      ...(memory === null ? {} : { mem: memoryOption(memory.proposed) }),
      ...(time === null ? {} : { time: timeLimitOption(time.proposed) }),
      ...(cpus === null ? {} : { cpus: cpus.proposed }),
    },
    refusal: null,
  };
}

function memoryEvidence(runs: readonly BatchRun[]): Evidence | null {
  const values = runs.flatMap(({ cause, usage }) => {
    if (cause?.kind === 'memory') return cause.limit === null ? [] : [cause.limit * censoredFactor];
    // without samples, the kernel's figure is better than none
    return usage?.memoryBytes ?? usage?.cgroupMemoryBytes ?? [];
  });
  return withMargins(values, memoryMargins, {
    requested: latest(
      runs,
      ({ requested, usage }) => requested?.memoryBytes ?? usage?.grantedMemoryBytes ?? null,
    ),
    round: (bytes) => parseMemory(memoryOption(bytes)) ?? bytes,
  });
}

function timeEvidence(runs: readonly BatchRun[]): Evidence | null {
  const values = runs.flatMap(({ cause, usage }) => {
    if (cause?.kind === 'time') return cause.limit === null ? [] : [cause.limit * censoredFactor];
    // it would have taken longer
    return cause?.kind === 'memory' ? [] : (usage?.wallMs ?? []);
  });
  return withMargins(values, timeMargins, {
    requested: latest(runs, ({ requested }) => requested?.timeLimitMs ?? null),
    round: (ms) => Math.ceil(Math.max(ms, minTimeMs) / minTimeMs) * minTimeMs,
  });
}

/** CPUs are proposed only if fewer do: an analysis that keeps all of its CPUs busy may or may not use more of them. */
function cpuEvidence(runs: readonly BatchRun[]): Evidence | null {
  const requested = latest(runs, (run) => run.requested?.cpus ?? null);
  if (requested === null) return null;
  const values = runs.flatMap(({ usage }) =>
    usage === null || usage.cpuMs === null || usage.wallMs < 1_000 ? [] : [usage.cpuMs / usage.wallMs],
  );
  const evidence = withMargins(
    values,
    { percentile: 1.1, max: 0, outlier: 0 },
    { requested, round: Math.ceil },
  );
  return evidence === null || evidence.proposed >= requested ? null : evidence;
}

function withMargins(
  values: readonly number[],
  margins: typeof memoryMargins,
  { requested, round }: { requested: number | null; round: (value: number) => number },
): Evidence | null {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  if (sorted.length === 0) return null;
  const [p50, p95, max] = [at(0.5), at(0.95), at(1)];
  const forMax = max <= p95 * margins.outlier ? max * margins.max : 0;
  const proposed = round(Math.max(p95 * margins.percentile, forMax));
  return { p50, p95, max, requested, proposed, above: sorted.filter((value) => value > proposed).length };
}

function latest(runs: readonly BatchRun[], of: (run: BatchRun) => number | null): number | null {
  return of(runs.reduce((last, run) => (run.acceptedAt > last.acceptedAt ? run : last)));
}
