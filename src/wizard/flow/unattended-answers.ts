import { randomBytes } from 'node:crypto';
import type { Detection } from '../detect/detect.js';
import type { SiteProbes } from '../detect/site-probes.js';
import { environmentName, messageOf, type Question } from '../questions/index.js';
import { applyDerived, proposalFor, validateAnswer } from './answer.js';
import type { PresetAnswers } from './preset-answers.js';
import { advance, nextQuestion, type FlowState } from './question-flow.js';

/** Result of {@link answerUnattended}. */
interface UnattendedAnswers {
  flow: FlowState;
  /** All missing and invalid answers. */
  problems: readonly AnswerProblem[];
  /** Sentences about answers that are used nevertheless. */
  warnings: readonly string[];
  /** Actions that the answers require: `/shared/tmp does not exist. Create it?` */
  actions: readonly { question: string; run: () => Promise<void> }[];
}

interface AnswerProblem {
  key: string;
  problem: string;
  fix: string;
}

interface UnattendedOptions {
  flow: FlowState;
  presets: PresetAnswers;
  detected: Detection;
  probes: SiteProbes;
  /** Generate missing passwords of new services. */
  generate: boolean;
  /** False: only collect answers, without contacting anything. Default: true. */
  check?: boolean;
}

/** Answers all questions from presets, previous answers and proposals. Does not prompt, and changes nothing. */
export async function answerUnattended({
  flow: start,
  presets,
  detected,
  probes,
  generate,
  check = true,
}: UnattendedOptions): Promise<UnattendedAnswers> {
  let flow = start;
  const problems: AnswerProblem[] = [];
  const warnings: string[] = [];
  const actions = new Map<string, () => Promise<void>>();
  const accepted = new Set<string>();
  const pinned = new Set(presets.keys());
  for (;;) {
    // skip questions with problems, to report all problems at once
    const question = nextQuestion(flow, detected, new Set(problems.map(({ key }) => key)));
    if (question === null) {
      return {
        flow,
        problems,
        warnings,
        actions: [...actions].map(([text, run]) => ({ question: text, run })),
      };
    }
    const preset = presets.get(question.key);
    const text = preset?.text ?? textFor(question, flow, detected, generate);
    if (text === undefined) {
      problems.push({
        key: question.key,
        problem: `${messageOf(question, flow.draft)}: not given.`,
        fix: howToAnswer(question),
      });
      continue;
    }
    const validate = async () =>
      validateAnswer(question, text, { draft: flow.draft, detected, probes, accepted }, pinned, check);
    let validated = await validate();
    for (; validated.result.kind === 'warning'; validated = await validate()) {
      warnings.push(`${validated.result.warning} ${validated.result.fix}`);
      accepted.add(validated.result.id);
    }
    const { result } = validated;
    switch (result.kind) {
      case 'ok':
        break;
      case 'problem': {
        const where = preset === undefined ? question.key : `${question.key} (${preset.origin})`;
        problems.push({ key: question.key, problem: `${where}: ${result.problem}`, fix: result.fix });
        continue;
      }
      case 'confirmation':
        actions.set(result.question, result.run);
        break;
    }
    flow = advance(flow, question, applyDerived(validated, pinned), false);
  }
}

/** The text to use if there is no preset. */
function textFor(
  question: Question,
  { draft, known }: FlowState,
  detected: Detection,
  generate: boolean,
): string | undefined {
  const proposal = proposalFor(question, draft, known, detected);
  if (proposal !== undefined) return proposal;
  if (question.optional === true) return '-';
  return generate && question.generate?.(draft) === true ? generatePassword() : undefined;
}

/** 144 bits in hexadecimal, which needs no quoting anywhere. */
export function generatePassword(): string {
  return randomBytes(18).toString('hex');
}

/** `Give it with --tmp, DSA_SLURM_INIT_DIRS_TMP, or dirs.tmp in the answers file.` */
function howToAnswer(question: Question): string {
  const generated =
    question.generate === undefined ? '' : ' For a new service, --generate-passwords creates one.';
  const flag = question.flag === undefined ? '' : `${question.flag}, `;
  return `Give it with ${flag}${environmentName(question)}, or ${question.key} in the answers file.${generated}`;
}
