/** Something that was started, and how to stop it. */
export interface Releaser {
  stop(): Promise<void>;
  /** For an `exit` listener: at once, without waiting. */
  killNow?(): void;
}

/** SIGINT, SIGTERM and SIGHUP stop everything in order; a second signal, or any other exit of the process, kills at once. */
export function listenForEnd(
  stop: AbortController,
  releasers: readonly Releaser[],
  signal: AbortSignal | undefined,
  isLent: () => boolean = () => false,
): () => void {
  const killAll = () => releasers.toReversed().forEach((releaser) => releaser.killNow?.());
  const abort = (cause: unknown) => {
    if (cause === 'SIGINT' && isLent()) return;
    if (stop.signal.aborted) killAll();
    stop.abort(new Error('stopped'));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, abort);
  process.on('exit', killAll);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort(signal.reason);
  return () => {
    for (const name of signals) process.off(name, abort);
    process.off('exit', killAll);
    signal?.removeEventListener('abort', abort);
  };
}

/** Last started, first stopped; an error does not prevent the others from being stopped. */
export async function releaseAll(releasers: readonly Releaser[], say: (line: string) => void): Promise<void> {
  for (const releaser of releasers.toReversed()) {
    try {
      await releaser.stop();
    } catch (error) {
      say(`Something could not be stopped: ${String(error)}`);
    }
  }
}

/** Waits for both, so that neither is left running when the other fails. */
export async function startBoth<A extends Releaser, B extends Releaser>(
  first: Promise<A>,
  second: Promise<B>,
  onStarted: (releaser: Releaser) => void,
): Promise<[A, B]> {
  const [one, two] = await Promise.allSettled([first, second]);
  if (one.status === 'fulfilled') onStarted(one.value);
  if (two.status === 'fulfilled') onStarted(two.value);
  if (one.status === 'rejected') throw one.reason;
  if (two.status === 'rejected') throw two.reason;
  return [one.value, two.value];
}
