import { errorLine } from '../../base/errors.js';
import { changeCommand, jobSignals, type JobChange } from '../../slurm/commands/change-jobs.js';
import type { WorkerAction } from '../../worker/actions/action.js';
import type { WorkerSnapshot } from '../../worker/views/handle.js';
import type { Row } from '../state/rows.js';

type WithoutTargets<A> = A extends WorkerAction ? Omit<A, 'runs' | 'jobs'> : never;

/** What is to be done, before it is said to which runs and jobs. */
export type Deed = WithoutTargets<WorkerAction>;

/** Something that an operator can do to rows: the menu, the `:` commands and the questions all come from it. */
export interface RowAction {
  kind: Deed['kind'];
  /** Its `:` command. */
  name: string;
  aliases: readonly string[];
  /** Its letter in the menu, and what stands beside it. */
  key: string;
  label: string;
  description: string;
  /** What has to follow the command, and words to choose from; null: nothing does. */
  value: { argument: string; offers: readonly string[] } | null;
  /** Whether it can be about a row at all. What else speaks against it, the worker says. */
  fits(row: Row): boolean;
  /** `word` is what followed the command, empty for none. A sentence where it is no value. */
  read(word: string): Deed | string;
}

type Parts = Pick<RowAction, 'kind' | 'name' | 'key' | 'description' | 'read'> & Partial<RowAction>;

function action(parts: Parts): RowAction {
  return { aliases: [], label: parts.name, value: null, fits: isAlive, ...parts };
}

function isAlive({ group }: Row): boolean {
  return group !== 'finished';
}

/** The deed, unless Slurm's own commands could not be given the value. */
function checked(deed: JobChange): Deed | string {
  try {
    changeCommand(deed, []);
    return deed;
  } catch (thrown) {
    return errorLine(thrown);
  }
}

/** A word as a number; NaN for none, which {@link checked} refuses. */
function numberOf(word: string): number {
  return word === '' ? Number.NaN : Number(word);
}

export const rowActions: readonly RowAction[] = [
  action({
    kind: 'cancel',
    name: 'cancel',
    key: 'x',
    aliases: ['scancel'],
    description: 'Cancel the selected or all marked rows, after a question',
    read: () => ({ kind: 'cancel' }),
  }),
  action({
    kind: 'hold',
    name: 'hold',
    key: 'h',
    description: 'Keep waiting jobs from starting',
    read: () => ({ kind: 'hold' }),
  }),
  action({
    kind: 'release',
    name: 'release',
    key: 'u',
    description: 'Let jobs start that are held',
    read: () => ({ kind: 'release' }),
  }),
  action({
    kind: 'requeue',
    name: 'requeue',
    key: 'r',
    description: 'Put jobs back into the queue; they begin anew',
    read: () => ({ kind: 'requeue' }),
  }),
  action({
    kind: 'signal',
    name: 'signal',
    key: 's',
    description: 'Send a signal to what runs in the jobs',
    value: { argument: '<name>', offers: jobSignals },
    read(word) {
      const bare = word.toUpperCase().replace(/^SIG/u, '');
      const signal = jobSignals.find((name) => name === bare);
      return signal === undefined
        ? `Say which signal: ${jobSignals.join(', ')}.`
        : checked({ kind: 'signal', signal });
    },
  }),
  action({
    kind: 'timeLimit',
    name: 'timelimit',
    key: 't',
    label: 'limit',
    description: 'Set the time limit: minutes, 04:00:00, 1-12, +30 for more, UNLIMITED',
    value: { argument: '<limit>', offers: ['+30', '+60', '04:00:00', '1-00', 'UNLIMITED'] },
    read: (word) => checked({ kind: 'timeLimit', limit: word }),
  }),
  action({
    kind: 'priority',
    name: 'priority',
    key: 'p',
    description: "Set Slurm's priority; most sites let only administrators do that",
    value: { argument: '<number>', offers: [] },
    read: (word) => checked({ kind: 'priority', priority: numberOf(word) }),
  }),
  action({
    kind: 'nice',
    name: 'nice',
    key: 'n',
    description: 'Let others go first: the higher, the later; below 0 for administrators',
    value: { argument: '<number>', offers: ['0', '100', '1000'] },
    read: (word) => checked({ kind: 'nice', nice: numberOf(word) }),
  }),
  action({
    kind: 'adopt',
    name: 'adopt',
    key: 'o',
    description: 'Take up Slurm jobs that lost their run with a damaged journal',
    fits: ({ group, run, job }) => group !== 'finished' && run === null && job.key !== null,
    read: () => ({ kind: 'adopt' }),
  }),
  action({
    kind: 'retry',
    name: 'retry',
    key: 'R',
    description: 'Run failed or canceled runs again, each as a new one',
    fits: ({ run }) => run?.outcome === 'failed' || run?.outcome === 'canceled',
    read: () => ({ kind: 'retry' }),
  }),
  action({
    kind: 'forget',
    name: 'forget',
    key: 'f',
    description: 'Take finished runs out of history and journal',
    fits: ({ run }) => run?.stage === 'finished',
    read: () => ({ kind: 'forget' }),
  }),
];

/** On this host a job can be canceled and nothing else: the worker refuses what Slurm alone can do. */
const needSlurm: ReadonlySet<RowAction['kind']> = new Set([
  'hold',
  'release',
  'requeue',
  'signal',
  'timeLimit',
  'priority',
  'nice',
  'adopt',
]);

/** What can be done where jobs run so. */
export function actionsOf(executor: WorkerSnapshot['executor']): readonly RowAction[] {
  return executor === 'slurm' ? rowActions : rowActions.filter(({ kind }) => !needSlurm.has(kind));
}

export function rowActionOf(kind: Deed['kind']): RowAction | undefined {
  return rowActions.find((one) => one.kind === kind);
}

/** How a deed is spoken of. */
export interface DeedWords {
  /** `Cancel this run?`, given `this run`. */
  question(whom: string): string;
  /** What comes of it, where the question does not say it all. */
  effect: string | null;
  /** In front of an answer: `Hold 3 rows: done`. */
  done: string;
  /** In front of a refusal. */
  refused: string;
}

export function deedWords(deed: Deed): DeedWords {
  switch (deed.kind) {
    case 'cancel':
      return {
        question: (whom) => `Cancel ${whom}?`,
        effect: null,
        done: 'Cancel',
        refused: 'Not canceled,',
      };
    case 'hold':
      return {
        question: (whom) => `Hold ${whom}?`,
        effect: 'It does not start before it is released; what runs already goes on.',
        done: 'Hold',
        refused: 'Not held,',
      };
    case 'release':
      return {
        question: (whom) => `Release ${whom}?`,
        effect: 'It may start as soon as there is room.',
        done: 'Release',
        refused: 'Not released,',
      };
    case 'requeue':
      return {
        question: (whom) => `Requeue ${whom}?`,
        effect: 'Back into the queue: what was computed is lost, and it begins anew.',
        done: 'Requeue',
        refused: 'Not requeued,',
      };
    case 'signal':
      return {
        question: (whom) => `Send SIG${deed.signal} to ${whom}?`,
        effect: 'What comes of it is up to the analysis; who dies of it has failed.',
        done: `SIG${deed.signal} to`,
        refused: 'No signal sent,',
      };
    case 'timeLimit':
      return {
        question: (whom) => `Set the time limit to ${deed.limit} for ${whom}?`,
        effect: 'Slurm ends a job at its limit; raising it may be for administrators.',
        done: `Time limit ${deed.limit},`,
        refused: 'Time limit not changed,',
      };
    case 'priority':
      return {
        question: (whom) => `Set the priority to ${deed.priority} for ${whom}?`,
        effect: 'Slurm then no longer reckons it; 0 holds it.',
        done: `Priority ${deed.priority},`,
        refused: 'Priority not changed,',
      };
    case 'nice':
      return {
        question: (whom) => `Set the nice value to ${deed.nice} for ${whom}?`,
        effect: 'The higher, the later it starts.',
        done: `Nice ${deed.nice},`,
        refused: 'Nice value not changed,',
      };
    case 'adopt':
      return {
        question: (whom) => `Adopt ${whom}?`,
        effect: 'Its message is read from the damaged journal; then its log and outputs reach Girder again.',
        done: 'Adopt',
        refused: 'Not adopted,',
      };
    case 'retry':
      return {
        question: (whom) => `Run ${whom} again?`,
        effect: 'Each becomes one new run with a Girder job of its own; what ended stays as it is.',
        done: 'Run again',
        refused: 'Not run again,',
      };
    case 'forget':
      return {
        question: (whom) => `Forget ${whom}?`,
        effect: 'They leave history and journal, and cannot be run again.',
        done: 'Forget',
        refused: 'Not forgotten,',
      };
  }
}
