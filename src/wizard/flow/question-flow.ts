import { answerTo, putAnswer } from './answer.js';
import type { Detection } from '../detect/detect.js';
import { questions, type Question } from '../questions/index.js';
import type { Draft } from '../init-answers.js';

/** One step that was taken. */
interface Step {
  key: string;
  /** A person answered it: going back leads here. */
  asked: boolean;
  /** The answers before it. */
  before: Draft;
}

/** A way through the questions. A value: every step makes a new one. */
export interface Walk {
  draft: Draft;
  /** Answers from before that are proposed: of an earlier start, of an import, or of steps that were taken back. */
  known: Draft;
  steps: readonly Step[];
  /** Ids of doubts that were put and brushed aside. */
  accepted: readonly string[];
}

export function startWalk(known: Draft, accepted: readonly string[] = []): Walk {
  return { draft: {}, known, steps: [], accepted };
}

/**
 * The first question that applies and has no answer yet. Null: there is none left.
 * @param without keys that are passed over
 */
export function nextQuestion(
  { draft }: Walk,
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

/** @param draft the answers with the one to this question */
export function takeStep(walk: Walk, question: Question, draft: Draft, asked: boolean): Walk {
  return { ...walk, draft, steps: [...walk.steps, { key: question.key, asked, before: walk.draft }] };
}

/** Takes back the last answer of a person, and what came after it. Null: there is none. */
export function stepBack(walk: Walk): Walk | null {
  const at = walk.steps.findLastIndex(({ asked }) => asked);
  const step = walk.steps[at];
  const question = questions.find(({ key }) => key === step?.key);
  if (step === undefined || question === undefined) return null;
  return {
    ...walk,
    draft: step.before,
    // it is proposed again
    known: putAnswer(question, walk.known, answerTo(question, walk.draft)),
    steps: walk.steps.slice(0, at),
  };
}

/** Whether a person answered anything yet. */
export function hasAnswers({ steps }: Walk): boolean {
  return steps.some(({ asked }) => asked);
}
