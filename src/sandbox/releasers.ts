/** Something that was started, and how to stop it. */
export interface Releaser {
  stop(): Promise<void>;
  /** For an `exit` listener: at once, without waiting. */
  killNow?(): void;
}

/**
 * SIGINT, SIGTERM and SIGHUP stop everything in order; a second one, or any other exit of the process, kills at once. The
 * caller may listen for the same signals and abort `signal` with them, so an abort never counts as a second one.
 */
export function listenForEnd(
  stop: AbortController,
  releasers: readonly Releaser[],
  signal: AbortSignal | undefined,
  isLent: () => boolean = () => false,
): () => void {
  const killAll = () => releasers.toReversed().forEach((releaser) => releaser.killNow?.());
  const abort = () => stop.abort(new Error('stopped'));
  let received = 0;
  const onSignal = (name: NodeJS.Signals) => {
    if (name === 'SIGINT' && isLent()) return;
    received += 1;
    if (received > 1) killAll();
    abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  process.on('exit', killAll);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  return () => {
    for (const name of signals) process.off(name, onSignal);
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
