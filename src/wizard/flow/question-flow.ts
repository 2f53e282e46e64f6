import { answerTo, putAnswer } from './answer.js';
import type { Detection } from '../detect/detect.js';
import { questions, type Question } from '../questions/index.js';
import type { Draft } from '../init-answers.js';

/** An answered question. */
interface Step {
  key: string;
  /** Whether the operator answered it: going back returns to such questions. */
  asked: boolean;
  /** The answers before this one. */
  before: Draft;
}

/** Progress through the questions. Immutable: each step creates a new one. */
export interface FlowState {
  draft: Draft;
  /** Answers to propose: from an earlier start, an import, or steps that were undone. */
  known: Draft;
  steps: readonly Step[];
  /** Ids of warnings that the operator accepted. */
  accepted: readonly string[];
}

export function startFlow(known: Draft, accepted: readonly string[] = []): FlowState {
  return { draft: {}, known, steps: [], accepted };
}

/**
 * The first applicable question without an answer; null if there is none left.
 * @param without keys to skip
 */
export function nextQuestion(
  { draft }: FlowState,
  detected: Detection,
  without: ReadonlySet<string> = new Set(),
): Question | null {
  const open = questions.find(
    (question) =>
      !without.has(question.key) &&
      (question.when?.(draft, detected) ?? true) &&
      answerTo(question, draft) === undefined,
  );
  return open ?? null;
}

/** Records an answer. @param draft the answers including this one */
export function advance(flow: FlowState, question: Question, draft: Draft, asked: boolean): FlowState {
  return { ...flow, draft, steps: [...flow.steps, { key: question.key, asked, before: flow.draft }] };
}

/** Undoes the operator's last answer and everything after it; null if there is none. */
export function stepBack(flow: FlowState): FlowState | null {
  const at = flow.steps.findLastIndex(({ asked }) => asked);
  const step = flow.steps[at];
  const question = questions.find(({ key }) => key === step?.key);
  if (step === undefined || question === undefined) return null;
  return {
    ...flow,
    draft: step.before,
    // propose it again
    known: putAnswer(question, flow.known, answerTo(question, flow.draft)),
    steps: flow.steps.slice(0, at),
  };
}

/** Whether the operator has answered anything. */
export function hasAnswers({ steps }: FlowState): boolean {
  return steps.some(({ asked }) => asked);
}
