import { randomBytes } from 'node:crypto';
import { judge, proposalFor, withLearned } from './answer.js';
import type { Detection } from '../detect/detect.js';
import type { Doors } from '../detect/site-probes.js';
import type { Given } from './preset-answers.js';
import { environmentName, messageOf, type Question } from '../questions/index.js';
import { nextQuestion, takeStep, type Walk } from './question-flow.js';

/** What came of answering without a person. */
export interface Filled {
  walk: Walk;
  /** Questions without an answer, and answers that cannot be used: all of them. */
  problems: readonly FillProblem[];
  /** Sentences about answers that are used all the same. */
  warnings: readonly string[];
  /** What has to be done before the answers hold: `/shared/tmp is not there. Make it?` */
  acts: readonly { ask: string; act: () => Promise<void> }[];
}

export interface FillProblem {
  key: string;
  problem: string;
  fix: string;
}

export interface FillOptions {
  walk: Walk;
  given: Given;
  detected: Detection;
  doors: Doors;
  /** Make up passwords that protect something new and that nobody gave. */
  generate: boolean;
  /** False: answers are only put together, and nothing outside is asked. Default: true. */
  check?: boolean;
}

/** Answers every question from what is given, what was so before, and what seems right. Asks nobody, changes nothing. */
export async function fill({
  walk: start,
  given,
  detected,
  doors,
  generate,
  check = true,
}: FillOptions): Promise<Filled> {
  let walk = start;
  const problems: FillProblem[] = [];
  const warnings: string[] = [];
  const acts = new Map<string, () => Promise<void>>();
  const doubts = new Set<string>();
  const pinned = new Set(given.keys());
  for (;;) {
    // what could not be answered is left out, so that the rest is looked at too
    const question = nextQuestion(walk, detected, new Set(problems.map(({ key }) => key)));
    if (question === null)
      return { walk, problems, warnings, acts: [...acts].map(([ask, act]) => ({ ask, act })) };
    const text = given.get(question.key)?.text ?? textFor(question, walk, detected, generate);
    if (text === undefined) {
      problems.push({
        key: question.key,
        problem: `${messageOf(question, walk.draft)}: not given.`,
        fix: howToGive(question),
      });
      continue;
    }
    const look = async () =>
      judge(question, text, { draft: walk.draft, detected, doors, accepted: doubts }, pinned, check);
    let judged = await look();
    for (; judged.verdict.kind === 'doubt'; judged = await look()) {
      warnings.push(`${judged.verdict.doubt} ${judged.verdict.fix}`);
      doubts.add(judged.verdict.id);
    }
    const { verdict } = judged;
    switch (verdict.kind) {
      case 'ok':
        break;
      case 'problem': {
        const origin = given.get(question.key)?.origin;
        const where = origin === undefined ? question.key : `${question.key} (${origin})`;
        problems.push({ key: question.key, problem: `${where}: ${verdict.problem}`, fix: verdict.fix });
        continue;
      }
      case 'consent':
        acts.set(verdict.ask, verdict.act);
        break;
    }
    walk = takeStep(walk, question, withLearned(judged, pinned), false);
  }
}

/** The text that stands for an answer that nobody gave. */
function textFor(
  question: Question,
  { draft, known }: Walk,
  detected: Detection,
  generate: boolean,
): string | undefined {
  const proposal = proposalFor(question, draft, known, detected);
  if (proposal !== undefined) return proposal;
  if (question.optional === true) return '-';
  return generate && question.generate?.(draft) === true ? newPassword() : undefined;
}

/** 144 bits, in letters that need no quoting anywhere. */
export function newPassword(): string {
  return randomBytes(18).toString('hex');
}

/** `--tmp, DSA_SLURM_INIT_DIRS_TMP, or dirs.tmp in the answers file` */
export function howToGive(question: Question): string {
  const made = question.generate === undefined ? '' : ' --generate-passwords makes one up where it is new.';
  const flag = question.flag === undefined ? '' : `${question.flag}, `;
  return `Give it with ${flag}${environmentName(question)}, or ${question.key} in the answers file.${made}`;
}
