import type { Settings } from '../../config/schema.js';

export type Rule = Settings['slurm']['rules'][number];

/** The properties of a run that rules match. */
export interface RuleSubject {
  /** As published: `example/small:v1`. */
  image: string;
  /** The CLI's name, which is the first argument of the container; empty without arguments. */
  cli: string;
  gpu: boolean;
}

/** The first matching rule and its number, counted from 1; null if none matches. */
export function matchingRule(
  rules: readonly Rule[],
  subject: RuleSubject,
): { rule: Rule; number: number } | null {
  const index = rules.findIndex((rule) => matches(rule, subject));
  const rule = rules[index];
  return rule === undefined ? null : { rule, number: index + 1 };
}

function matches(rule: Rule, subject: RuleSubject): boolean {
  return (
    (rule.image === undefined || globMatches(rule.image, subject.image)) &&
    (rule.cli === undefined || globMatches(rule.cli, subject.cli)) &&
    (rule.gpu === undefined || rule.gpu === subject.gpu)
  );
}

/** `*` matches any text, `?` one character. Backtracks only to the last `*`, so it is fast for any input. */
export function globMatches(glob: string, text: string): boolean {
  let [at, star, resume] = [0, -1, 0];
  let from = 0;
  while (from < text.length) {
    if (glob[at] === '*') {
      star = at;
      at += 1;
      resume = from;
    } else if (at < glob.length && (glob[at] === '?' || glob[at] === text[from])) {
      at += 1;
      from += 1;
    } else if (star === -1) return false;
    else {
      // let the last star match one more character
      at = star + 1;
      resume += 1;
      from = resume;
    }
  }
  while (glob[at] === '*') at += 1;
  return at === glob.length;
}
