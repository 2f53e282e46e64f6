import { answerText } from './answer.js';
import { style, table } from './output.js';
import type { FlowState } from './question-flow.js';
import { messageOf, questions, sections } from '../questions/index.js';

/** All answers by section. Secrets are hidden; answers that nobody was asked for are dim. */
export function recapText({ draft, steps }: Pick<FlowState, 'draft' | 'steps'>): string {
  const asked = new Set(steps.filter((step) => step.asked).map(({ key }) => key));
  const answered = new Set(steps.map(({ key }) => key));
  return sections
    .flatMap((section) => {
      const rows = questions.flatMap((question): [string, string][] => {
        const text = answerText(question, draft);
        if (question.section !== section || text === undefined || !answered.has(question.key)) return [];
        const shown = question.kind === 'secret' && text !== '-' ? '(hidden)' : text === '-' ? 'none' : text;
        return [[messageOf(question, draft), asked.has(question.key) ? shown : style.dim(shown)]];
      });
      return rows.length === 0 ? [] : [`  ${style.dim(section)}`, table(rows)];
    })
    .join('\n');
}
