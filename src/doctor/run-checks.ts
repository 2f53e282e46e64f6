import { coerceError, DsaSlurmError } from '../base/errors.js';
import { groups, type Check, type CheckResult, type Finding, type Repair, type RunContext } from './check.js';
import { docsOf } from './docs.js';
import type { CheckFacts, FactId } from './facts.js';

/** Default time limit of a check, in milliseconds. */
const checkMs = 5_000;
/** Time limit of a whole run, in milliseconds; deep runs wait for Slurm and have only the limits of their checks. */
const wholeMs = 8_000;

export interface RunChecksOptions {
  /** Where needed checks are looked up. Default: `checks` themselves. */
  catalog?: readonly Check[];
  /** Time limit of the whole run in milliseconds. Default 8,000, and none if the context is deep. */
  capMs?: number;
  /** Called with each result as it arrives. */
  onResult?: (result: CheckResult) => void;
  /** Called with the possible fixes of a check. */
  onRepairs?: (check: Check, repairs: readonly Repair[]) => void;
  /** Ends the run early: unfinished checks are skipped. */
  signal?: AbortSignal;
}

type Found = Finding & { fact?: unknown };

/** Result of a check, and what it passes on. */
interface Done {
  result: CheckResult;
  fact: unknown;
  /** The root cause, if it was skipped because of another check: `needs rabbitmq.connect, which failed`. */
  because?: string;
}

/**
 * Runs checks concurrently, each as soon as those that it needs are done. No check can delay or break the others: each has a
 * time limit, after which its result is ignored, and an exception becomes a failure.
 * @returns results of `checks` and of those that they need, in the order of the report. Never rejects.
 */
export async function runChecks(
  checks: readonly Check[],
  context: RunContext,
  options: RunChecksOptions = {},
): Promise<CheckResult[]> {
  const catalog = new Map([...(options.catalog ?? []), ...checks].map((check) => [check.id, check]));
  const over = new AbortController();
  const ended = new AbortController();
  const signal = AbortSignal.any([over.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const capMs = options.capMs ?? (context.deep ? null : wholeMs);
  const limitWhole = async (ms: number) => {
    await context.clock.sleep(ms, ended.signal);
    if (!ended.signal.aborted) over.abort(new Error(`the time limit of the whole run is ${ms / 1_000} s`));
  };
  if (capMs !== null) void limitWhole(capMs);

  const begun = new Map<string, Promise<Done>>();
  const begin = (check: Check, asking: readonly string[]): Promise<Done> => {
    const known = begun.get(check.id);
    if (known !== undefined) return known;
    const done = one(check, asking).then((end) => {
      options.onResult?.(end.result);
      // a check that timed out or threw has found nothing that could be repaired
      const needsFix = ['fail', 'warn'].includes(end.result.status) && end.fact !== undefined;
      const repairs = needsFix ? (check.repairs?.(context, end.fact) ?? []) : [];
      if (repairs.length > 0) options.onRepairs?.(check, repairs);
      return end;
    });
    begun.set(check.id, done);
    return done;
  };

  const one = async (check: Check, asking: readonly string[]): Promise<Done> => {
    if (check.group === 'slurm' && context.settings.worker.executor === 'local') {
      const why = 'jobs run on this host: worker.executor is local';
      return { ...skipped(check, why), because: why };
    }
    const facts = new Map<string, unknown>();
    for (const id of check.needs ?? []) {
      const need = catalog.get(id);
      if (need === undefined || [...asking, check.id].includes(id)) {
        return skipped(check, `needs ${id}, which is not part of this run`);
      }
      const { result, fact, because } = await begin(need, [...asking, check.id]);
      if (result.status === 'fail' || result.status === 'skip') {
        const why = because ?? `needs ${id}, which ${result.status === 'fail' ? 'failed' : 'was skipped'}`;
        return { ...skipped(check, why), because: why };
      }
      facts.set(id, fact);
    }
    if (check.deep === true && !context.deep) return skipped(check, 'only with --deep');
    if (signal.aborted) return skipped(check, `not started: ${coerceError(signal.reason).message}`);
    return limited(check, context, facts, signal);
  };

  try {
    await Promise.all(checks.map((check) => begin(check, [])));
    const results = (await Promise.all(begun.values())).map(({ result }) => result);
    return inOrder(results, [...catalog.keys()]);
  } finally {
    ended.abort();
  }
}

/** Runs one check with a time limit; a later result is ignored. */
async function limited(
  check: Check,
  context: RunContext,
  facts: ReadonlyMap<string, unknown>,
  signal: AbortSignal,
): Promise<Done> {
  const { clock } = context;
  const limit = check.timeoutMs ?? checkMs;
  const timeUp = new AbortController();
  const done = new AbortController();
  const started = clock.monotonic();
  let waited: string | null = null;
  const late = async (): Promise<Found> => {
    await clock.sleep(limit, AbortSignal.any([done.signal, signal]));
    // lets the check stop, too
    if (!done.signal.aborted) timeUp.abort(new Error('The check reached its time limit.'));
    if (check.whenLate !== undefined) return check.whenLate;
    if (!signal.aborted)
      return {
        status: 'fail',
        evidence: [
          `The check did not finish within ${seconds(limit)} s.`,
          ...(waited === null ? [] : [`It was waiting: ${waited}`]),
        ],
        fix: `dsa-slurm doctor --only ${check.id}   # retry it alone`,
      };
    return { status: 'fail', evidence: [`Not finished: ${coerceError(signal.reason).message}.`] };
  };
  const asked = async (): Promise<Found> => {
    try {
      return await check.run({
        ...context,
        onWaiting(line) {
          waited = line;
          context.onWaiting?.(line);
        },
        signal: AbortSignal.any([timeUp.signal, signal]),
        needed: <Id extends FactId>(id: Id) => facts.get(id) as CheckFacts[Id],
      });
    } catch (thrown) {
      return failure(thrown);
    }
  };
  const { fact, ...finding } = await Promise.race([asked(), late()]);
  done.abort();
  return { result: resultOf(check, finding, clock.monotonic() - started), fact };
}

/** An exception as a finding: its message and its next step. */
function failure(thrown: unknown): Finding {
  const error = coerceError(thrown);
  const next = error instanceof DsaSlurmError ? error.next : undefined;
  return { status: 'fail', evidence: [error.message], ...(next === undefined ? {} : { fix: next }) };
}

function skipped(check: Check, why: string): Done {
  return { result: resultOf(check, { status: 'skip', evidence: [why] }, 0), fact: undefined };
}

function resultOf({ id, group, title }: Check, { status, evidence, fix }: Finding, ms: number): CheckResult {
  return { id, group, title, status, evidence, fix: fix ?? null, ms: Math.round(ms), docs: docsOf(id) };
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

/** Sorts by group, then in catalog order. */
function inOrder(results: readonly CheckResult[], ids: readonly string[]): CheckResult[] {
  const place = new Map(ids.map((id, index) => [id, index]));
  return results.toSorted(
    (a, b) =>
      groups.indexOf(a.group) - groups.indexOf(b.group) || (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0),
  );
}
