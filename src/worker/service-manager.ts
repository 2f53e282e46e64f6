import { describeFailure, type RunCommand } from '../base/command.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { WorkerSnapshot } from './views/handle.js';

/** Tells systemd about the state of this service; does nothing without systemd. Never throws. */
export interface ServiceManager {
  /** The service is up. @param status see {@link watch} */
  ready(status: string): Promise<void>;
  /**
   * Reports the status when it changes, and resets the watchdog: systemd restarts a service whose event loop is blocked.
   * @param status one line for `systemctl status`
   * @param over ends this
   */
  watch(status: () => string, over: AbortSignal): void;
  stopping(status: string): Promise<void>;
}

export interface ServiceManagerOptions {
  /** systemd sets `NOTIFY_SOCKET`, and `WATCHDOG_USEC` with `WatchdogSec=`; see sd_notify(3) and sd_watchdog_enabled(3). */
  env: Readonly<Record<string, string | undefined>>;
  run: RunCommand;
  log: Log;
  clock: Clock;
}

/** Longest interval between two reports, in milliseconds. */
const everyMs = 10_000;
const maxStatusLength = 200;

/**
 * Speaks through the program systemd-notify, because Node.js has no datagram sockets of Unix. The unit needs
 * `NotifyAccess=all`: the messages come from a child process.
 */
export function connectServiceManager({ env, run, log, clock }: ServiceManagerOptions): ServiceManager {
  const isManaged = (env['NOTIFY_SOCKET'] ?? '') !== '';
  const watchdogMs = watchdogInterval(env);
  let lastStatus = '';
  let hasFailed = false;

  async function notify(assignments: readonly string[]): Promise<void> {
    if (!isManaged) return;
    const problem = describeFailure(await run('systemd-notify', assignments, { timeoutMs: 10_000 }));
    if (problem !== '' && !hasFailed) log.warn({ why: problem }, 'systemd cannot be notified');
    hasFailed = problem !== '';
  }

  const statusLine = (status: string): string => {
    lastStatus = status;
    return `STATUS=${status.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, maxStatusLength)}`;
  };

  return {
    ready: async (status) => notify(['READY=1', statusLine(status)]),
    stopping: async (status) => notify(['STOPPING=1', statusLine(status)]),
    watch(status, over) {
      if (!isManaged) return;
      void (async () => {
        while (!over.aborted) {
          const now = status();
          const assignments = [
            ...(watchdogMs === null ? [] : ['WATCHDOG=1']),
            ...(now === lastStatus ? [] : [statusLine(now)]),
          ];
          if (assignments.length > 0) await notify(assignments);
          // twice within the time limit, as sd_watchdog_enabled(3) recommends
          await clock.sleep(Math.min(everyMs, (watchdogMs ?? everyMs) / 2), over);
        }
      })();
    },
  };
}

/** Milliseconds within which systemd expects a sign of life; null if it expects none of this process. */
function watchdogInterval(env: ServiceManagerOptions['env']): number | null {
  const ms = Number(env['WATCHDOG_USEC']) / 1_000;
  const pid = env['WATCHDOG_PID'];
  if (!(ms > 0) || (pid !== undefined && pid !== String(process.pid))) return null;
  return ms;
}

/** The state of a worker as one line: `3 runs in flight; RabbitMQ: consuming; Slurm does not answer`. */
export function serviceStatus({ health, jobs }: WorkerSnapshot): string {
  const { inFlight, broker, intake, problem } = health;
  return [
    `${inFlight} ${inFlight === 1 ? 'run' : 'runs'} in flight`,
    `RabbitMQ: ${broker.state}`,
    ...(intake === 'open' ? [] : [`no new tasks: ${intake}`]),
    ...[broker.problem, jobs.problem, problem].filter((each) => each !== null),
  ].join('; ');
}
