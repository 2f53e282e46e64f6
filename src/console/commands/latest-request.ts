/** Something to be asked, and why: the same reason is not asked twice in a row. */
interface Wish {
  reason: readonly [page: string, ...unknown[]];
  /** Resolves with what is to be done with the answer. */
  ask: () => Promise<() => void>;
}

/** Asks one question at a time, always the latest that was wished for. */
export interface Asker {
  want(reason: Wish['reason'], ask: Wish['ask']): void;
  /** Nothing is wanted any more; an answer that is on its way is dropped. */
  forget(): void;
}

/** @param gapMs milliseconds between an answer and the next question for the same page */
export function createAsker(gapMs: number): Asker {
  let wish: Wish | null = null;
  let asked: Wish | null = null;
  let busy = false;
  let pause: NodeJS.Timeout | null = null;

  const endPause = (): void => {
    if (pause !== null) clearTimeout(pause);
    pause = null;
  };

  const go = async (): Promise<void> => {
    if (busy || pause !== null || wish === null || wish === asked) return;
    const begun = wish;
    asked = begun;
    busy = true;
    const tell = await begun.ask();
    busy = false;
    const latest = wish as Wish | null;
    if (latest?.reason[0] === begun.reason[0]) {
      tell();
      pause = setTimeout(() => {
        pause = null;
        void go();
      }, gapMs);
    } else {
      await go();
    }
  };

  return {
    want(reason, ask) {
      const before = wish?.reason ?? [];
      if (before.length === reason.length && before.every((one, index) => one === reason[index])) return;
      if (before[0] !== reason[0]) endPause();
      wish = { reason, ask };
      void go();
    },
    forget() {
      wish = null;
      endPause();
    },
  };
}
