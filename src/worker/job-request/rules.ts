import type { Settings } from '../../config/schema.js';

export type Rule = Settings['slurm']['rules'][number];

/** What a rule may ask about a run. */
export interface RuleSubject {
  /** As published: `example/small:v1`. */
  image: string;
  /** The CLI's name, which is the first argument of the container; empty if there is none. */
  cli: string;
  gpu: boolean;
}

/** The first rule that fits, and its number from 1 as an operator counts; null if none does. */
export function matchingRule(
  rules: readonly Rule[],
  subject: RuleSubject,
): { rule: Rule; number: number } | null {
  const index = rules.findIndex((rule) => fits(rule, subject));
  const rule = rules[index];
  return rule === undefined ? null : { rule, number: index + 1 };
}

function fits(rule: Rule, subject: RuleSubject): boolean {
  return (
    (rule.image === undefined || globMatches(rule.image, subject.image)) &&
    (rule.cli === undefined || globMatches(rule.cli, subject.cli)) &&
    (rule.gpu === undefined || rule.gpu === subject.gpu)
  );
}

/** `*` stands for any text and `?` for one character; everything else for itself. Linear in practice, whatever the text is. */
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
      // the last star takes one character more
      at = star + 1;
      resume += 1;
      from = resume;
    }
  }
  while (glob[at] === '*') at += 1;
  return at === glob.length;
}
