import { createContext, Script } from 'node:vm';
import { systemCode } from '../../base/errors.js';

type LimitedResult<T> = { ok: true; value: T } | { ok: false };

/** Runs synchronous work and interrupts it after the time limit. */
type RunWithTimeLimit = <T>(work: () => T) => LimitedResult<T>;

/**
 * A time limit for regular expressions that an operator enters: catastrophic backtracking would block the thread. V8 can
 * interrupt a script that runs with a time limit, including functions of the outer realm that it calls. `work` may be
 * interrupted at any point, so it must not modify shared state.
 */
export function createTimeLimit(ms: number): RunWithTimeLimit {
  const script = new Script('work()');
  let sandbox: { work?: () => void } | null = null;
  return <T>(work: () => T): LimitedResult<T> => {
    let result: LimitedResult<T> = { ok: false };
    sandbox ??= createContext({});
    sandbox.work = () => {
      result = { ok: true, value: work() };
    };
    try {
      script.runInContext(sandbox, { timeout: ms });
    } catch (thrown) {
      if (systemCode(thrown) !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw thrown;
    } finally {
      delete sandbox.work;
    }
    return result;
  };
}
