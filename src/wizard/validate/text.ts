import type { AnswerValue } from '../flow/partial-answers.js';
import { ok, problem, type Verdict } from './validation-result.js';

/** One line of text, or nothing. Control characters end up nowhere good. */
export function oneLine(value: AnswerValue): Verdict {
  if (value === null || !/\p{Cc}/u.test(String(value))) return ok();
  return problem('This holds control characters.', 'Write it anew, without pasting.');
}

/** @param what `two numbers such as 1000:1000` */
export function pattern(value: AnswerValue, shape: RegExp, what: string): Verdict {
  return shape.test(String(value)) ? ok() : problem(`This is not ${what}.`, `Write ${what}.`);
}

export function portNumber(value: AnswerValue): Verdict {
  const fits = typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
  return fits ? ok() : problem('A port is a number from 1 to 65535.', 'Write such a number.');
}

/** A password that is going to protect something new. */
export function strongSecret(value: AnswerValue): Verdict {
  const text = String(value ?? '');
  const oneLined = oneLine(text);
  if (oneLined.kind !== 'ok') return oneLined;
  if (text.length < 8) return problem('It has fewer than 8 characters.', 'Take a longer one.');
  return ok();
}
