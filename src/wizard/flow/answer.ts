import { homedir } from 'node:os';
import { join } from 'node:path';
import { coerceError, DsaSlurmError } from '../../base/errors.js';
import type { Detection } from '../detect/detect.js';
import { readAnswer, writeAnswer, type AnswerValue } from './partial-answers.js';
import { questions, type Question } from '../questions/index.js';
import type { ValidateContext } from '../questions/question.js';
import type { Draft } from '../init-answers.js';
import { problem, type ValidationResult } from '../validate/validation-result.js';

/** The answer in a draft; undefined: not answered yet. */
export function answerTo(question: Question, draft: Draft): AnswerValue | undefined {
  return question.read === undefined ? readAnswer(draft, question.key) : question.read(draft);
}

/** A copy of the draft with this answer; undefined removes it. */
export function putAnswer(question: Question, draft: Draft, value: AnswerValue | undefined): Draft {
  if (value === undefined || question.write === undefined) return writeAnswer(draft, question.key, value);
  return question.write(draft, value);
}

/** The answer as typed; `-` for null. */
export function answerText(question: Question, draft: Draft): string | undefined {
  const text = question.text?.(draft);
  if (text !== undefined) return text;
  const value = answerTo(question, draft);
  if (value === undefined) return undefined;
  return value === null ? '-' : String(value);
}

/** The proposed answer: the previous one, or else the question's own proposal. */
export function proposalFor(
  question: Question,
  draft: Draft,
  known: Draft,
  detected: Detection,
): string | undefined {
  const previous = answerText(question, known);
  if (previous !== undefined && (previous !== '-' || question.optional === true)) return previous;
  const proposal = question.proposal?.(draft, detected);
  if (proposal === undefined) return undefined;
  return proposal === null ? '-' : String(proposal);
}

/** An answer, the draft that contains it, and the result of its validation. */
export interface ValidatedAnswer {
  value: AnswerValue;
  draft: Draft;
  result: ValidationResult;
}

/**
 * Parses and validates a text as the answer to a question. `-` means none.
 * @param pinned keys that are answered explicitly: an answer that splits into several does not change them
 * @param check false: only parse, without contacting anything
 */
export async function validateAnswer(
  question: Question,
  text: string,
  context: ValidateContext,
  pinned: ReadonlySet<string> = new Set(),
  check = true,
): Promise<ValidatedAnswer> {
  const rejected = (sentence: string, fix: string): ValidatedAnswer => ({
    value: null,
    draft: context.draft,
    result: problem(sentence, fix),
  });
  const value = parseAnswer(question, text, context);
  if (typeof value === 'object' && value !== null) return rejected(value.problem, value.fix);
  try {
    let draft = putAnswer(question, context.draft, value);
    for (const [key, part] of Object.entries(question.splitAnswer?.(String(value)) ?? {})) {
      const other = questions.find((each) => each.key === key);
      if (other === undefined || (other !== question && pinned.has(key))) continue;
      draft = putAnswer(other, draft, part);
    }
    const stored = answerTo(question, draft) ?? value;
    const checked = check ? await question.validate?.(stored, { ...context, draft }) : undefined;
    const result = checked ?? { kind: 'ok' as const };
    const isAccepted = result.kind === 'warning' && context.accepted.has(result.id);
    return { value: stored, draft, result: isAccepted ? { kind: 'ok' } : result };
  } catch (thrown) {
    if (!(thrown instanceof DsaSlurmError)) throw thrown;
    return rejected(coerceError(thrown).message, thrown.next ?? 'Give another answer.');
  }
}

/** The draft, with answers that validation derived. */
export function applyDerived({ draft, result }: ValidatedAnswer, pinned: ReadonlySet<string>): Draft {
  if (result.kind !== 'ok') return draft;
  return Object.entries(result.derived ?? {}).reduce((all, [key, value]) => {
    const question = questions.find((each) => each.key === key);
    return question === undefined || pinned.has(key) ? all : putAnswer(question, all, value);
  }, draft);
}

function parseAnswer(
  question: Question,
  given: string,
  { draft, detected }: ValidateContext,
): AnswerValue | { problem: string; fix: string } {
  const text = question.kind === 'secret' ? given : given.trim();
  if (text === '' || (text === '-' && question.kind !== 'secret') || (text === '-' && question.optional)) {
    return question.optional === true ? null : { problem: 'An answer is required.', fix: 'Give one.' };
  }
  switch (question.kind) {
    case 'number':
      return /^\d{1,9}$/.test(text)
        ? Number(text)
        : { problem: 'This is not a whole number.', fix: 'Use digits only.' };
    case 'choice': {
      const values = question.choices?.(draft, detected).map(({ value }) => value) ?? [];
      // a validated answer need not be among those that were detected
      if (question.validate !== undefined || values.includes(text)) return text;
      return { problem: `${text} is not a valid answer.`, fix: `Use one of: ${values.join(', ')}.` };
    }
    case 'path':
      return text === '~' || text.startsWith('~/') ? join(homedir(), text.slice(1)) : text;
    case 'text':
    case 'secret':
      return question.normalize?.(text) ?? text;
  }
}
