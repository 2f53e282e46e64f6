export interface DoctorCheck {
  /** For example `rabbitmq.connect`. */
  id: string;
  group: string;
  title: string;
}

export interface DoctorResult {
  id: string;
  status: 'ok' | 'warn' | 'fail' | 'skip';
  /** One fact per line. */
  evidence: readonly string[];
  /** What to do about it; null: nothing. */
  fix: string | null;
  ms: number;
  /** Where the check is documented. */
  docs?: string;
}

/** The doctor as the console uses it. The caller of the console provides it, because imports run only downwards. */
export interface DoctorPort {
  /** Every check, in display order. */
  checks: readonly DoctorCheck[];
  /** Runs checks and their prerequisites, and reports each result at once. @param ids null for all checks */
  run(
    ids: readonly string[] | null,
    onResult: (result: DoctorResult) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface DoctorState {
  /** Empty until the doctor has run for the first time. */
  checks: readonly DoctorCheck[];
  /** The latest result of each check and when it arrived. */
  results: ReadonlyMap<string, { result: DoctorResult; at: number }>;
  /** Ids of checks without a result in the present run. */
  pending: ReadonlySet<string>;
  /** Milliseconds since the epoch; null: not yet. */
  startedAt: number | null;
  endedAt: number | null;
  /** Why the doctor itself could not run. */
  error: string | null;
}

export const emptyDoctorState: DoctorState = {
  checks: [],
  results: new Map(),
  pending: new Set(),
  startedAt: null,
  endedAt: null,
  error: null,
};

export type DoctorAction =
  | { type: 'doctorStarted'; checks: readonly DoctorCheck[]; ids: readonly string[] | null; now: number }
  | { type: 'doctorResultReceived'; result: DoctorResult; now: number }
  | { type: 'doctorFinished'; error: string | null; now: number };

export function reduceDoctor(state: DoctorState, action: DoctorAction): DoctorState {
  switch (action.type) {
    case 'doctorStarted': {
      const { checks, ids, now } = action;
      const pending = new Set(ids ?? checks.map(({ id }) => id));
      return { ...state, checks, pending, startedAt: now, endedAt: null, error: null };
    }
    case 'doctorResultReceived': {
      const { result, now } = action;
      const pending = new Set(state.pending);
      pending.delete(result.id);
      return { ...state, pending, results: new Map(state.results).set(result.id, { result, at: now }) };
    }
    case 'doctorFinished':
      return { ...state, pending: new Set(), endedAt: action.now, error: action.error };
  }
}

export function isDoctorRunning({ startedAt, endedAt }: DoctorState): boolean {
  return startedAt !== null && endedAt === null;
}
