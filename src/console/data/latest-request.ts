interface Request {
  /** Identifies the request: a page, and the values whose change requires a new answer. */
  key: readonly [page: string, ...unknown[]];
  /** Resolves with a function that applies the answer. */
  send: () => Promise<() => void>;
}

/** Sends one request at a time. While one is pending, only the latest of the following ones is kept. */
interface RequestQueue {
  /** Has no effect if the latest request has the same key. */
  request(key: Request['key'], send: Request['send']): void;
  /** Drops the waiting request, and the answer of a pending one. */
  cancel(): void;
}

/** @param gapMs minimum pause between an answer and the next request for the same page */
export function createRequestQueue(gapMs: number): RequestQueue {
  let latest: Request | null = null;
  let sent: Request | null = null;
  let isBusy = false;
  let pause: NodeJS.Timeout | null = null;

  const endPause = (): void => {
    if (pause !== null) clearTimeout(pause);
    pause = null;
  };

  const isLatestPage = (page: string): boolean => latest?.key[0] === page;

  const sendNext = async (): Promise<void> => {
    if (isBusy || pause !== null || latest === null || latest === sent) return;
    const current = latest;
    sent = current;
    isBusy = true;
    const apply = await current.send();
    isBusy = false;
    if (!isLatestPage(current.key[0])) return sendNext();
    apply();
    pause = setTimeout(() => {
      pause = null;
      void sendNext();
    }, gapMs);
  };

  return {
    request(key, send) {
      const before = latest?.key ?? [];
      if (before.length === key.length && before.every((one, index) => one === key[index])) return;
      if (before[0] !== key[0]) endPause();
      latest = { key, send };
      void sendNext();
    },
    cancel() {
      latest = null;
      endPause();
    },
  };
}
