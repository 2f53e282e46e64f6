import type { AnswerValue } from '../flow/partial-answers.js';
import { ok, problem, type ValidationResult } from './validation-result.js';

/** One line of text without control characters, or null. */
export function withoutControlCharacters(value: AnswerValue): ValidationResult {
  if (value === null || !/\p{Cc}/u.test(String(value))) return ok();
  return problem('This contains control characters.', 'Type it instead of pasting it.');
}

/** @param what `two numbers such as 1000:1000` */
export function pattern(value: AnswerValue, shape: RegExp, what: string): ValidationResult {
  return shape.test(String(value)) ? ok() : problem(`This is not ${what}.`, `Write ${what}.`);
}

export function portNumber(value: AnswerValue): ValidationResult {
  const isValid = typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
  return isValid ? ok() : problem('A port is a number from 1 to 65535.', 'Give such a number.');
}

/** A password for a new service. */
export function strongSecret(value: AnswerValue): ValidationResult {
  const text = String(value ?? '');
  const line = withoutControlCharacters(text);
  if (line.kind !== 'ok') return line;
  if (text.length < 8) return problem('It has fewer than 8 characters.', 'Use a longer one.');
  return ok();
}
