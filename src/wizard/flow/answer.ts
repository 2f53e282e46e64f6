import { homedir } from 'node:os';
import { join } from 'node:path';
import { coerceError, DsaSlurmError } from '../../base/errors.js';
import type { Detection } from '../detect/detect.js';
import { readAnswer, writeAnswer, type AnswerValue } from './partial-answers.js';
import { questions, type Question } from '../questions/index.js';
import type { ValidateContext } from '../questions/question.js';
import type { Draft } from '../init-answers.js';
import { problem, type Verdict } from '../validate/validation-result.js';

/** What a draft has for a question; undefined: nothing yet. */
export function answerTo(question: Question, draft: Draft): AnswerValue | undefined {
  return question.read === undefined ? readAnswer(draft, question.key) : question.read(draft);
}

/** The draft with this answer, or without one. */
export function putAnswer(question: Question, draft: Draft, value: AnswerValue | undefined): Draft {
  if (value === undefined || question.keep === undefined) return writeAnswer(draft, question.key, value);
  return question.keep(draft, value);
}

/** The answer as one would type it. Null is `-`. */
export function answerText(question: Question, draft: Draft): string | undefined {
  const text = question.text?.(draft);
  if (text !== undefined) return text;
  const value = answerTo(question, draft);
  if (value === undefined) return undefined;
  return value === null ? '-' : String(value);
}

/** The answer that is proposed: what was so before, or what seems right here. */
export function proposalFor(
  question: Question,
  draft: Draft,
  known: Draft,
  detected: Detection,
): string | undefined {
  const before = answerText(question, known);
  if (before !== undefined && (before !== '-' || question.optional === true)) return before;
  const proposal = question.proposal?.(draft, detected);
  if (proposal === undefined) return undefined;
  return proposal === null ? '-' : String(proposal);
}

/** An answer, the draft with it, and what came of looking at it. */
export interface Judged {
  value: AnswerValue;
  draft: Draft;
  verdict: Verdict;
}

/**
 * Reads a text as the answer to a question, and looks whether it can be used. `-` is nothing.
 * @param pinned keys that have an answer of their own, which a spreading answer leaves alone
 * @param check false: it is only read, and nothing outside is asked
 */
export async function judge(
  question: Question,
  text: string,
  context: ValidateContext,
  pinned: ReadonlySet<string> = new Set(),
  check = true,
): Promise<Judged> {
  const refused = (sentence: string, fix: string): Judged => ({
    value: null,
    draft: context.draft,
    verdict: problem(sentence, fix),
  });
  const value = readText(question, text, context);
  if (typeof value === 'object' && value !== null) return refused(value.problem, value.fix);
  try {
    let draft = putAnswer(question, context.draft, value);
    for (const [key, part] of Object.entries(question.spread?.(String(value)) ?? {})) {
      const other = questions.find((each) => each.key === key);
      if (other === undefined || (other !== question && pinned.has(key))) continue;
      draft = putAnswer(other, draft, part);
    }
    const kept = answerTo(question, draft) ?? value;
    const looked = check ? await question.validate?.(kept, { ...context, draft }) : undefined;
    const verdict = looked ?? { kind: 'ok' as const };
    const known = verdict.kind === 'doubt' && context.accepted.has(verdict.id);
    return { value: kept, draft, verdict: known ? { kind: 'ok' } : verdict };
  } catch (thrown) {
    if (!(thrown instanceof DsaSlurmError)) throw thrown;
    return refused(coerceError(thrown).message, thrown.next ?? 'Answer differently.');
  }
}

/** Answers that validation found out, put beside the others. */
export function withLearned({ draft, verdict }: Judged, pinned: ReadonlySet<string>): Draft {
  if (verdict.kind !== 'ok') return draft;
  return Object.entries(verdict.learned ?? {}).reduce((all, [key, value]) => {
    const question = questions.find((each) => each.key === key);
    return question === undefined || pinned.has(key) ? all : putAnswer(question, all, value);
  }, draft);
}

function readText(
  question: Question,
  given: string,
  { draft, detected }: ValidateContext,
): AnswerValue | { problem: string; fix: string } {
  const text = question.kind === 'secret' ? given : given.trim();
  if (text === '' || (text === '-' && question.kind !== 'secret') || (text === '-' && question.optional)) {
    return question.optional === true ? null : { problem: 'This is needed.', fix: 'Give an answer.' };
  }
  switch (question.kind) {
    case 'number':
      return /^\d{1,9}$/.test(text)
        ? Number(text)
        : { problem: 'This is not a whole number.', fix: 'Use digits only.' };
    case 'choice': {
      const values = question.choices?.(draft, detected).map(({ value }) => value) ?? [];
      // where answers are looked at, they may also be others than those that were found
      if (question.validate !== undefined || values.includes(text)) return text;
      return { problem: `${text} is not among the answers.`, fix: `Answer one of: ${values.join(', ')}.` };
    }
    case 'path':
      return text === '~' || text.startsWith('~/') ? join(homedir(), text.slice(1)) : text;
    case 'text':
    case 'secret':
      return text;
  }
}
