import type { AnswerValue } from '../flow/partial-answers.js';

/** Result of validating an answer. */
export type ValidationResult =
  /** `note`: one line of information; `derived`: other answers, by key, that need not be asked for any more */
  | { kind: 'ok'; note?: string; derived?: Readonly<Record<string, AnswerValue>> }
  /** The answer cannot be used. */
  | { kind: 'problem'; problem: string; fix: string }
  /**
   * The answer can be used if the operator accepts the warning.
   * `id`: an accepted warning is not repeated; `offer`: an alternative that the wizard can provide.
   */
  | { kind: 'warning'; id: string; warning: string; fix: string; offer?: 'new-credentials' }
  /**
   * The answer can be used after `run`, which the operator must confirm. `implied`: an earlier answer confirmed it, so that
   * it is only reported, as `done`.
   */
  | { kind: 'confirmation'; question: string; implied: boolean; done: string; run: () => Promise<void> };

export const ok = (note?: string): ValidationResult =>
  note === undefined ? { kind: 'ok' } : { kind: 'ok', note };

export const problem = (text: string, fix: string): ValidationResult => ({
  kind: 'problem',
  problem: text,
  fix,
});

export const warning = (
  id: string,
  text: string,
  fix: string,
  offer?: 'new-credentials',
): ValidationResult => ({
  kind: 'warning',
  id,
  warning: text,
  fix,
  ...(offer === undefined ? {} : { offer }),
});
