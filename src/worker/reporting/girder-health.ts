/** What a run does with Girder: report its status, or transfer files. */
export type GirderActivity = 'report' | 'transfer';

/** The current problems of runs with Girder. */
export interface GirderHealth {
  /** Sets the problem of one run, or clears it with null. */
  set(runId: string, activity: GirderActivity, problem: string | null): void;
  /** The problem to show for one run. */
  of(runId: string): string | null;
  /** Forgets a run that has settled. */
  forget(runId: string): void;
  /** The oldest problem, for one line on a screen; null if there is none. */
  problem(): string | null;
}

/** Problems are kept per run: the success of one says nothing about another, which may use a different Girder. */
export function createGirderHealth(): GirderHealth {
  const problems = new Map<string, Map<GirderActivity, string>>();
  const firstOf = (all: ReadonlyMap<GirderActivity, string> | undefined): string | null => {
    const [first = null] = all?.values() ?? [];
    return first;
  };
  return {
    set(runId, activity, problem) {
      const own = problems.get(runId) ?? new Map<GirderActivity, string>();
      if (problem === null) own.delete(activity);
      // a known problem keeps its position
      else own.set(activity, problem);
      if (own.size === 0) problems.delete(runId);
      else problems.set(runId, own);
    },
    of: (runId) => firstOf(problems.get(runId)),
    forget: (runId) => void problems.delete(runId),
    problem() {
      const all = [...problems.values()].map(firstOf);
      const [first = null] = all;
      if (first === null) return null;
      const others = all.filter((problem) => problem !== first).length;
      return others === 0
        ? first
        : `${first} (${others} more ${others === 1 ? 'run has' : 'runs have'} other problems)`;
    },
  };
}
