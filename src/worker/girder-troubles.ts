/** What keeps runs from telling Girder. */
export interface GirderTroubles {
  /** The trouble of one run; null once it is over. */
  set(runId: string, trouble: string | null): void;
  /** The trouble that has lasted longest, for a line on a screen; null while there is none. */
  longest(): string | null;
}

/** Each run has its own trouble: that one gets through says nothing of another, which may report to another Girder. */
export function createGirderTroubles(): GirderTroubles {
  const troubles = new Map<string, string>();
  return {
    set(runId, trouble) {
      if (trouble === null) troubles.delete(runId);
      // its place among the others stays
      else troubles.set(runId, trouble);
    },
    longest() {
      const [first = null] = troubles.values();
      if (first === null) return null;
      const others = [...troubles.values()].filter((trouble) => trouble !== first).length;
      return others === 0
        ? first
        : `${first} (${others} more ${others === 1 ? 'run has' : 'runs have'} other trouble)`;
    },
  };
}
