const stopping = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Runs `run` with an abort signal that SIGTERM, SIGINT and SIGHUP trigger. A second signal has its default effect. While the
 * terminal is lent to another program (`lend`), SIGINT is ignored here.
 */
export async function untilSignal<T>(
  run: (signal: AbortSignal, lend: (lent: boolean) => void) => Promise<T>,
  target: Pick<NodeJS.Process, 'on' | 'off' | 'kill' | 'pid'> = process,
): Promise<T> {
  const controller = new AbortController();
  let isLent = false;
  const release = (): void => {
    for (const name of stopping) target.off(name, onSignal);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (name === 'SIGINT' && isLent) return;
    if (controller.signal.aborted) {
      release();
      target.kill(target.pid, name);
    }
    controller.abort(name);
  };
  for (const name of stopping) target.on(name, onSignal);
  try {
    return await run(controller.signal, (lent) => {
      isLent = lent;
    });
  } finally {
    release();
  }
}
