import { createContext, Script } from 'node:vm';

/** Runs synchronous work and interrupts it after the time limit. */
type RunWithTimeLimit = <T>(work: () => T) => { ok: true; value: T } | { ok: false };

/**
 * A time limit for regular expressions that an operator enters: catastrophic backtracking would block the thread. V8 can
 * interrupt a script that runs with a time limit, including functions of the outer realm that it calls. `work` may be
 * interrupted at any point, so it must not modify shared state.
 */
export function createTimeLimit(ms: number): RunWithTimeLimit {
  const script = new Script('work()');
  let sandbox: { work?: () => unknown } | null = null;
  return <T>(work: () => T) => {
    sandbox ??= createContext({}) as { work?: () => unknown };
    let value: T | undefined;
    sandbox.work = () => {
      value = work();
    };
    try {
      script.runInContext(sandbox, { timeout: ms });
      return { ok: true, value: value as T };
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return { ok: false };
      throw thrown;
    } finally {
      delete sandbox.work;
    }
  };
}
