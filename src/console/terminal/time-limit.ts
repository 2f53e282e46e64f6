import { createContext, Script } from 'node:vm';

/** Runs some work of this thread and stops it when its time is over. */
export type WithinTime = <T>(work: () => T) => { ok: true; value: T } | { ok: false };

/**
 * A limit for what an operator's regular expressions may take: there are short ones that need years for a short line, and
 * nothing else in the thread could stop them. V8 can, in a script that is run with a time limit; the work itself may come
 * from outside of it. Work that is stopped must not mind where.
 */
export function createTimeLimit(ms: number): WithinTime {
  const script = new Script('work()');
  let room: { work?: () => unknown } | null = null;
  return <T>(work: () => T) => {
    room ??= createContext({}) as { work?: () => unknown };
    let value: T | undefined;
    room.work = () => {
      value = work();
    };
    try {
      script.runInContext(room, { timeout: ms });
      return { ok: true, value: value as T };
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return { ok: false };
      throw thrown;
    } finally {
      delete room.work;
    }
  };
}
