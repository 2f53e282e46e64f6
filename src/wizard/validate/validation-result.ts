import type { AnswerValue } from '../flow/partial-answers.js';

/** What came of looking at an answer. */
export type Verdict =
  /** `note`: one line worth knowing; `learned`: answers, by key, that nobody has to give any more */
  | { kind: 'ok'; note?: string; learned?: Readonly<Record<string, AnswerValue>> }
  /** It cannot be used. */
  | { kind: 'problem'; problem: string; fix: string }
  /**
   * It can be used, but a careful operator would want to know.
   * `id`: the same doubt is put only once; `offer`: something better that the wizard can do on request.
   */
  | { kind: 'doubt'; id: string; doubt: string; fix: string; offer?: 'new-credentials' }
  /**
   * It can be used once something is done that needs the operator's consent. `implied`: they gave it with an earlier
   * answer, so it is done and told.
   */
  | { kind: 'consent'; ask: string; implied: boolean; done: string; act: () => Promise<void> };

export const ok = (note?: string): Verdict => (note === undefined ? { kind: 'ok' } : { kind: 'ok', note });

export const problem = (text: string, fix: string): Verdict => ({ kind: 'problem', problem: text, fix });

export const doubt = (id: string, text: string, fix: string, offer?: 'new-credentials'): Verdict => ({
  kind: 'doubt',
  id,
  doubt: text,
  fix,
  ...(offer === undefined ? {} : { offer }),
});
