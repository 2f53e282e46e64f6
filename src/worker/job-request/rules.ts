import { globMatches } from '../../base/text/glob.js';
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
    (rule.image === undefined || globMatches(rule.image, subject.image, { sets: false })) &&
    (rule.cli === undefined || globMatches(rule.cli, subject.cli, { sets: false })) &&
    (rule.gpu === undefined || rule.gpu === subject.gpu)
  );
}
