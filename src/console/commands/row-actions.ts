import { errorLine } from '../../base/errors.js';
import { changeCommand, jobSignals, type JobChange } from '../../slurm/commands/change-jobs.js';
import type { WorkerSnapshot } from '../../worker/views/handle.js';
import type { Row } from '../state/rows.js';
import type { ActionRequest } from '../state/state.js';

/** An action on runs and jobs. The menu, the `:` commands and the questions are derived from it. */
export interface RowAction {
  kind: ActionRequest['kind'];
  /** Name of the `:` command. */
  name: string;
  aliases: readonly string[];
  /** Key and text in the menu. */
  key: string;
  label: string;
  /** For the help. */
  help: string;
  /** The required value after the command, and completions for it; null: none. */
  value: { argument: string; completions: readonly string[] } | null;
  /** The local executor does not support it. */
  needsSlurm: boolean;
  /** Whether the action makes sense for a row. The worker may refuse it for other reasons. */
  appliesTo(row: Row): boolean;
  /** What it applies to, where it does not apply. */
  only: string;
  /** @param word the value, possibly empty. @returns the request, or an error message */
  parse(word: string): ActionRequest | string;
}

type Parts = Pick<RowAction, 'kind' | 'name' | 'key' | 'help' | 'parse'> & Partial<RowAction>;

function action(parts: Parts): RowAction {
  return {
    aliases: [],
    label: parts.name,
    value: null,
    needsSlurm: true,
    appliesTo: isUnfinished,
    only: 'only while it waits or runs',
    ...parts,
  };
}

function isUnfinished({ group }: Row): boolean {
  return group !== 'finished';
}

function hasJob({ run, job }: Row): boolean {
  return job !== null || run?.jobId !== null;
}

/** @returns the request, or why its value is not valid for the Slurm command */
function validated(request: JobChange): ActionRequest | string {
  try {
    changeCommand(request, []);
    return request;
  } catch (thrown) {
    return errorLine(thrown);
  }
}

/** NaN for an empty word, which {@link validated} rejects. */
function numberOf(word: string): number {
  return word === '' ? Number.NaN : Number(word);
}

export const rowActions: readonly RowAction[] = [
  action({
    kind: 'cancel',
    name: 'cancel',
    key: 'x',
    needsSlurm: false,
    aliases: ['scancel'],
    help: 'Cancel the selected or marked rows, after confirmation',
    parse: () => ({ kind: 'cancel' }),
  }),
  action({
    kind: 'hold',
    name: 'hold',
    key: 'h',
    help: 'Keep waiting jobs from starting',
    appliesTo: (row) => isUnfinished(row) && hasJob(row),
    only: 'needs a Slurm job',
    parse: () => ({ kind: 'hold' }),
  }),
  action({
    kind: 'release',
    name: 'release',
    key: 'u',
    help: 'Release held jobs',
    appliesTo: (row) => isUnfinished(row) && hasJob(row),
    only: 'needs a Slurm job',
    parse: () => ({ kind: 'release' }),
  }),
  action({
    kind: 'requeue',
    name: 'requeue',
    key: 'r',
    help: 'Put jobs back into the queue; they start over',
    appliesTo: (row) => isUnfinished(row) && hasJob(row),
    only: 'needs a Slurm job',
    parse: () => ({ kind: 'requeue' }),
  }),
  action({
    kind: 'signal',
    name: 'signal',
    key: 's',
    help: 'Send a signal to the processes of the jobs',
    appliesTo: (row) => isUnfinished(row) && hasJob(row),
    only: 'needs a Slurm job',
    value: { argument: '<name>', completions: jobSignals },
    parse(word) {
      const bare = word.toUpperCase().replace(/^SIG/u, '');
      const signal = jobSignals.find((name) => name === bare);
      return signal === undefined
        ? `Unknown signal. Use one of ${jobSignals.join(', ')}.`
        : validated({ kind: 'signal', signal });
    },
  }),
  action({
    kind: 'timeLimit',
    name: 'timelimit',
    key: 't',
    label: 'limit',
    help: 'Set the time limit: 90, 04:00:00, 1-12, +30, UNLIMITED',
    appliesTo: (row) => isUnfinished(row) && hasJob(row),
    only: 'needs a Slurm job',
    value: { argument: '<limit>', completions: ['+30', '+60', '04:00:00', '1-00', 'UNLIMITED'] },
    parse: (word) => validated({ kind: 'timeLimit', limit: word }),
  }),
  action({
    kind: 'priority',
    name: 'priority',
    key: 'p',
    help: 'Set the priority; usually for administrators only',
    appliesTo: (row) => isUnfinished(row) && hasJob(row),
    only: 'needs a Slurm job',
    value: { argument: '<number>', completions: [] },
    parse: (word) => validated({ kind: 'priority', priority: numberOf(word) }),
  }),
  action({
    kind: 'nice',
    name: 'nice',
    key: 'n',
    help: 'Set the nice value; a higher one starts later',
    appliesTo: (row) => isUnfinished(row) && hasJob(row),
    only: 'needs a Slurm job',
    value: { argument: '<number>', completions: ['0', '100', '1000'] },
    parse: (word) => validated({ kind: 'nice', nice: numberOf(word) }),
  }),
  action({
    kind: 'adopt',
    name: 'adopt',
    key: 'o',
    help: 'Adopt Slurm jobs whose run was lost',
    appliesTo: ({ group, run, job }) => group !== 'finished' && run === null && job.key !== null,
    only: 'only for jobs whose run was lost',
    parse: () => ({ kind: 'adopt' }),
  }),
  action({
    kind: 'retry',
    name: 'retry',
    key: 'R',
    needsSlurm: false,
    help: 'Run failed or canceled runs again, each as a new run',
    appliesTo: ({ run }) => run?.outcome === 'failed' || run?.outcome === 'canceled',
    only: 'only for failed or canceled runs',
    parse: () => ({ kind: 'retry' }),
  }),
  action({
    kind: 'forget',
    name: 'forget',
    key: 'f',
    needsSlurm: false,
    help: 'Remove finished runs from history and journal',
    appliesTo: ({ run }) => run?.stage === 'finished',
    only: 'only for finished runs',
    parse: () => ({ kind: 'forget' }),
  }),
];

export function actionsFor(executor: WorkerSnapshot['executor']): readonly RowAction[] {
  return executor === 'slurm' ? rowActions : rowActions.filter(({ needsSlurm }) => !needsSlurm);
}

/** Why an action cannot work for any of these rows; null if it may. */
export function whyNot({ appliesTo, only }: RowAction, rows: readonly Row[]): string | null {
  if (rows.some(appliesTo)) return null;
  return rows.every(({ group }) => group === 'finished') && only.startsWith('only while')
    ? 'it has ended'
    : only;
}

interface ActionMessages {
  /** `Cancel this run?` for `this run`. */
  question(target: string): string;
  /** Consequences that the question does not mention. */
  effect: string | null;
  /** Precedes a positive answer: `Hold 3 rows: done`. */
  done: string;
  /** Precedes a refusal. */
  refused: string;
}

export function actionMessages(request: ActionRequest): ActionMessages {
  switch (request.kind) {
    case 'cancel':
      return {
        question: (target) => `Cancel ${target}?`,
        effect: null,
        done: 'Cancel',
        refused: 'Not canceled,',
      };
    case 'hold':
      return {
        question: (target) => `Hold ${target}?`,
        effect: 'It will not start until released; a running job continues.',
        done: 'Hold',
        refused: 'Not held,',
      };
    case 'release':
      return {
        question: (target) => `Release ${target}?`,
        effect: 'It may start as soon as resources are free.',
        done: 'Release',
        refused: 'Not released,',
      };
    case 'requeue':
      return {
        question: (target) => `Requeue ${target}?`,
        effect: 'The job starts over; results computed so far are lost.',
        done: 'Requeue',
        refused: 'Not requeued,',
      };
    case 'signal':
      return {
        question: (target) => `Send SIG${request.signal} to ${target}?`,
        effect: 'The effect depends on the analysis; if the signal kills it, the run fails.',
        done: `SIG${request.signal} to`,
        refused: 'No signal sent,',
      };
    case 'timeLimit':
      return {
        question: (target) => `Set the time limit to ${request.limit} for ${target}?`,
        effect: 'Slurm ends a job at its limit; raising it may require an administrator.',
        done: `Time limit ${request.limit},`,
        refused: 'Time limit not changed,',
      };
    case 'priority':
      return {
        question: (target) => `Set the priority to ${request.priority} for ${target}?`,
        effect: 'Slurm stops recalculating the priority; 0 holds the job.',
        done: `Priority ${request.priority},`,
        refused: 'Priority not changed,',
      };
    case 'nice':
      return {
        question: (target) => `Set the nice value to ${request.nice} for ${target}?`,
        effect: 'A higher value starts later.',
        done: `Nice ${request.nice},`,
        refused: 'Nice value not changed,',
      };
    case 'adopt':
      return {
        question: (target) => `Adopt ${target}?`,
        effect: 'Recovers its task from the damaged journal; log and outputs reach Girder again.',
        done: 'Adopt',
        refused: 'Not adopted,',
      };
    case 'retry':
      return {
        question: (target) => `Run ${target} again?`,
        effect: 'Each becomes a new run with its own Girder job; the old run stays as it is.',
        done: 'Run again',
        refused: 'Not run again,',
      };
    case 'forget':
      return {
        question: (target) => `Forget ${target}?`,
        effect: 'Removed from history and journal; cannot be retried afterwards.',
        done: 'Forget',
        refused: 'Not forgotten,',
      };
  }
}
