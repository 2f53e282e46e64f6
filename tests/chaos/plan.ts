import type { Spelling } from '../../src/sandbox/producer/message.js';
import type { RunEvent } from '../../src/worker/run-state/run.js';
import { createRandom, type Random } from './random.js';

/** Kinds of journal lines at which the worker is killed: all that the runs of a chaos batch cause. */
export const journalLines = [
  'accepted',
  'described',
  'staging',
  'staged',
  'submitting',
  'submitted',
  'started',
  'log-sending',
  'log-sent',
  'job-ended',
  'output-begun',
  'output-done',
  'cancel-requested',
  'decided',
  'finished',
] as const satisfies readonly RunEvent['type'][];

export type JournalLine = (typeof journalLines)[number];

/**
 * When in the writing of a line: before it; after part of it; after all of it but before the sync; and right after the
 * sync, before anything else happens.
 */
export const moments = ['before', 'torn', 'written', 'synced'] as const;
export type Moment = (typeof moments)[number];

/** When a worker dies by SIGKILL. */
export type PlannedKill =
  /** At the nth line of this kind that this worker writes. `part`: how much of a torn one is written, 0..1. */
  | { kind: 'line'; line: JournalLine; moment: Moment; nth: number; part: number }
  /** While the journal is replaced at the start: its new file half written, whole, or just renamed. */
  | { kind: 'start'; moment: Exclude<Moment, 'before'>; part: number }
  /** This many milliseconds after its process was started, or after it began to take tasks. */
  | { kind: 'time'; since: 'start' | 'ready'; afterMs: number };

/** Other faults, by component. */
export const faultKinds = {
  broker: ['cut', 'stall', 'restart'],
  girder: ['error', 'hang', 'reset', 'lost answer'],
  slurm: ['stopped', 'restarted', 'slow command', 'late sbatch', 'lost answer', 'refusal'],
  accounting: ['stopped', 'killed'],
  disk: ['full', 'slow'],
  clock: ['set back'],
} as const;

export type Part = keyof typeof faultKinds;
export type FaultName = { [P in Part]: `${P}: ${(typeof faultKinds)[P][number]}` }[Part];

export interface PlannedFault {
  name: FaultName;
  /** Milliseconds after the worker's process was started. It may outlive that worker. */
  afterMs: number;
  forMs: number;
  /** Percentage of calls that are affected. */
  chance: number;
}

/** One worker process, from its start to its death. */
export interface PlannedWorker {
  kill: PlannedKill;
  /**
   * What follows: a worker that is started after this one has died; one that is on standby and takes over; or one that
   * takes over while this one is stopped (SIGSTOP), so that this one must exit when it wakes up.
   */
  successor: 'started later' | 'stands by' | 'stands by, first one stopped';
  /** Milliseconds for which the worker is stopped (SIGSTOP) once it takes tasks, like a suspended virtual machine; 0: not at all. */
  suspendedMs: number;
  faults: readonly PlannedFault[];
}

/** One analysis of the batch. */
export interface PlannedRun {
  number: number;
  spelling: Spelling;
  /** Log lines that it writes, numbered, or all alike. */
  lines: number;
  alike: boolean;
  /** How long it takes. */
  seconds: number;
  /** What its container exits with. */
  exitCode: number;
  /** Besides two files, one of them empty, it writes a directory. */
  directory: boolean;
  /** Milliseconds between RUNNING in Girder and the cancel there; null: not canceled. */
  cancelAfterMs: number | null;
  /** Its message is delivered twice. */
  twice: boolean;
}

export interface ChaosPlan {
  seed: number;
  runs: readonly PlannedRun[];
  workers: readonly PlannedWorker[];
}

/** Longer than leases, heartbeats and command timeouts. */
const longOutageMs = 60_000;

const spellings = ['docker', 'singularity', 'singularityInTree', 'dockerRun'] as const;

/** The plan of a chaos run, determined by these numbers alone. */
export function planChaos({ seed, kills, runs }: { seed: number; kills: number; runs: number }): ChaosPlan {
  const random = createRandom(seed);
  return {
    seed,
    runs: Array.from({ length: runs }, (_, index) => planRun(index + 1, random)),
    workers: planKills(kills, random).map((kill) => ({
      kill,
      faults: planFaults(random),
      successor: planSuccessor(kill, random),
      suspendedMs: kill.kind !== 'start' && random.percent(4) ? longOutageMs : 0,
    })),
  };
}

function planRun(number: number, random: Random): PlannedRun {
  const fate = random.int(1, 10);
  return {
    number,
    spelling: random.pick(spellings),
    lines: random.int(5, 40),
    alike: random.percent(30),
    seconds: random.int(5, 20) / 10,
    exitCode: fate <= 2 ? random.int(1, 40) : 0,
    directory: random.percent(30),
    cancelAfterMs: fate === 10 ? random.int(0, 1_000) : null,
    twice: random.percent(10),
  };
}

/** Seven of ten at a journal step, covering all of them; the others at a start or at any time. */
function planKills(count: number, random: Random): PlannedKill[] {
  let steps: Omit<Extract<PlannedKill, { kind: 'line' }>, 'nth' | 'part'>[] = [];
  return Array.from({ length: count }, (_, index): PlannedKill => {
    if (index % 10 === 4)
      return { kind: 'start', moment: random.pick(['torn', 'written', 'synced']), part: random.next() };
    if (index % 5 === 2) {
      const since = random.pick(['start', 'ready', 'ready'] as const);
      return { kind: 'time', since, afterMs: random.int(0, since === 'start' ? 2_000 : 4_000) };
    }
    if (steps.length === 0) {
      steps = random.shuffle(
        journalLines.flatMap((line) => moments.map((moment) => ({ kind: 'line' as const, line, moment }))),
      );
    }
    const step = steps.shift();
    if (step === undefined) throw new Error('there are steps');
    // some lines are frequent, others rare
    const isCommon = step.line.startsWith('log-') || step.line.startsWith('output-');
    return { ...step, nth: random.int(1, isCommon ? 6 : 2), part: random.next() };
  });
}

/** A worker that dies at a step of its journal cannot be stopped there. */
function planSuccessor(kill: PlannedKill, random: Random): PlannedWorker['successor'] {
  if (!random.percent(30)) return 'started later';
  return kill.kind === 'time' && kill.since === 'ready' ? 'stands by, first one stopped' : 'stands by';
}

function planFaults(random: Random): PlannedFault[] {
  const count = random.pick([0, 0, 1, 1, 1, 2]);
  return Array.from({ length: count }, () => {
    const part = random.pick<Part>([
      ...(['broker', 'girder', 'girder', 'girder', 'slurm', 'slurm', 'slurm'] as const),
      ...(['accounting', 'accounting', 'disk', 'clock'] as const),
    ]);
    const name = `${part}: ${random.pick<string>(faultKinds[part])}` as FaultName;
    return {
      name,
      afterMs: random.int(0, 3_000),
      forMs: random.int(500, longestMs(name)),
      chance: random.int(30, 100),
    };
  });
}

/** Some faults take longer to have an effect. */
function longestMs(name: FaultName): number {
  switch (name) {
    case 'slurm: slow command':
    case 'slurm: refusal':
    case 'clock: set back':
      return 20_000;
    case 'accounting: stopped':
    case 'accounting: killed':
    case 'slurm: stopped':
      return longOutageMs;
    default:
      return 6_000;
  }
}
