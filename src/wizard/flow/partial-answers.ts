import type { Draft } from '../init-answers.js';

/** An answer to a question. Null: none. */
export type AnswerValue = string | number | boolean | null;

type Tree = { [key: string]: Tree | AnswerValue | undefined };

/** The value at a key such as `broker.host`. Undefined: not answered. Null also for keys below a null. */
export function readAnswer(draft: Draft, key: string): AnswerValue | undefined {
  let at: Tree | AnswerValue | undefined = draft;
  for (const part of key.split('.')) {
    if (at === null) return null;
    if (typeof at !== 'object') return undefined;
    at = Object.hasOwn(at, part) ? at[part] : undefined;
  }
  return typeof at === 'object' && at !== null ? undefined : at;
}

/** A copy in which `key` has this value; undefined removes it. */
export function writeAnswer(draft: Draft, key: string, value: AnswerValue | undefined): Draft {
  const copy = structuredClone(draft) as Tree;
  const parts = key.split('.');
  const last = parts.pop() ?? '';
  let at = copy;
  for (const part of parts) {
    const below = at[part];
    at = at[part] = typeof below === 'object' && below !== null ? below : {};
  }
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

/** Merges drafts; the first one with a value takes precedence. */
export function mergeDrafts(...drafts: readonly Draft[]): Draft {
  const whole: Tree = {};
  for (const draft of drafts) fill(whole, draft);
  return whole;
}

function fill(into: Tree, from: Tree): void {
  for (const [name, value] of Object.entries(from)) {
    if (value === undefined || name === '__proto__') continue;
    const known = into[name];
    if (known === undefined) into[name] = structuredClone(value);
    else if (isTree(known) && isTree(value)) fill(known, value);
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}

/** Whether this host runs the jobs, without Slurm. */
export function isLocal({ worker }: Pick<Draft, 'worker'>): boolean {
  return worker?.executor === 'local';
}

/** Whether init also writes the files of a Digital Slide Archive. */
export function hasDeployment({ deployment }: Pick<Draft, 'deployment'>): boolean {
  return deployment !== undefined && deployment !== null;
}
