/** What keeps a run from Girder: telling it how things are, or fetching and uploading files. */
export type GirderActivity = 'report' | 'transfer';

/** What keeps runs from Girder. */
export interface GirderHealth {
  /** The trouble of one run; null once it is over. */
  set(runId: string, errand: GirderActivity, trouble: string | null): void;
  /** What is to be said of one run. */
  of(runId: string): string | null;
  /** The run has ended. */
  forget(runId: string): void;
  /** The trouble that has lasted longest, for a line on a screen; null while there is none. */
  problem(): string | null;
}

/** Each run has its own trouble: that one gets through says nothing of another, which may report to another Girder. */
export function createGirderHealth(): GirderHealth {
  const troubles = new Map<string, Map<GirderActivity, string>>();
  const firstOf = (all: ReadonlyMap<GirderActivity, string> | undefined): string | null => {
    const [first = null] = all?.values() ?? [];
    return first;
  };
  return {
    set(runId, errand, trouble) {
      const own = troubles.get(runId) ?? new Map<GirderActivity, string>();
      if (trouble === null) own.delete(errand);
      // its place among the others stays
      else own.set(errand, trouble);
      if (own.size === 0) troubles.delete(runId);
      else troubles.set(runId, own);
    },
    of: (runId) => firstOf(troubles.get(runId)),
    forget: (runId) => void troubles.delete(runId),
    problem() {
      const all = [...troubles.values()].map(firstOf);
      const [first = null] = all;
      if (first === null) return null;
      const others = all.filter((trouble) => trouble !== first).length;
      return others === 0
        ? first
        : `${first} (${others} more ${others === 1 ? 'run has' : 'runs have'} other trouble)`;
    },
  };
}
