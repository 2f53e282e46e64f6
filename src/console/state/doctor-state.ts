/** One thing that the doctor can look at. */
export interface DoctorCheck {
  /** `rabbitmq.connect` */
  id: string;
  group: string;
  title: string;
}

/** What came of it. */
export interface DoctorResult {
  id: string;
  status: 'ok' | 'warn' | 'fail' | 'skip';
  /** What was seen, one fact a line. */
  evidence: readonly string[];
  /** How to mend it. */
  fix: string | null;
  ms: number;
  /** Where the check is described. */
  docs?: string;
}

/** A doctor to ask. The console knows none: whoever opens it may bring one. */
export interface DoctorPort {
  /** Every check that there is, in the order in which they are shown. */
  checks: readonly DoctorCheck[];
  /** Runs checks and what they need, each told of as soon as it is done. @param ids null for all of them */
  run(
    ids: readonly string[] | null,
    onResult: (result: DoctorResult) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** What the doctor has found so far. */
export interface DoctorState {
  /** Empty until the doctor was asked for the first time. */
  checks: readonly DoctorCheck[];
  /** The last result of each check, and when it came. */
  results: ReadonlyMap<string, { result: DoctorResult; at: number }>;
  /** Checks whose answers are to come. */
  asked: ReadonlySet<string>;
  /** When the last examination began and ended; null: none did so far. */
  begunAt: number | null;
  endedAt: number | null;
  /** Why there is no answer at all. */
  trouble: string | null;
}

export const noDoctorYet: DoctorState = {
  checks: [],
  results: new Map(),
  asked: new Set(),
  begunAt: null,
  endedAt: null,
  trouble: null,
};

export type DoctorAction =
  | { type: 'doctorBegan'; checks: readonly DoctorCheck[]; ids: readonly string[] | null; now: number }
  | { type: 'doctorFound'; result: DoctorResult; now: number }
  | { type: 'doctorEnded'; trouble: string | null; now: number };

export function reduceDoctor(state: DoctorState, action: DoctorAction): DoctorState {
  switch (action.type) {
    case 'doctorBegan': {
      const { checks, ids, now } = action;
      const asked = new Set(ids ?? checks.map(({ id }) => id));
      return { ...state, checks, asked, begunAt: now, endedAt: null, trouble: null };
    }
    case 'doctorFound': {
      const { result, now } = action;
      const asked = new Set(state.asked);
      asked.delete(result.id);
      return { ...state, asked, results: new Map(state.results).set(result.id, { result, at: now }) };
    }
    case 'doctorEnded':
      return { ...state, asked: new Set(), endedAt: action.now, trouble: action.trouble };
  }
}

export function isExamining({ begunAt, endedAt }: DoctorState): boolean {
  return begunAt !== null && endedAt === null;
}
