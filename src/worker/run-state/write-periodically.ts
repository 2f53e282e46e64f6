/**
 * Calls `write` at once and then periodically, one call at a time: on a file system that hangs, one attempt is enough. A failed
 * write is tried again at the next time.
 * @param onFailure called for the first failure, and again only after a write has succeeded
 * @returns stops this and waits for the current write; never rejects
 */
export function writePeriodically(
  write: () => Promise<void>,
  everyMs: number,
  onFailure: (error: unknown) => void,
): () => Promise<void> {
  let hasFailed = false;
  let writing: Promise<void> | null = null;

  async function attempt(): Promise<void> {
    try {
      await write();
      hasFailed = false;
    } catch (error) {
      if (!hasFailed) onFailure(error);
      hasFailed = true;
    }
  }
  const next = (): void => {
    writing ??= attempt().finally(() => {
      writing = null;
    });
  };

  next();
  const timer = setInterval(next, everyMs).unref();
  return async () => {
    clearInterval(timer);
    await writing;
  };
}
