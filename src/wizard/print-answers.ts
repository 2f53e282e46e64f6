import { Document } from 'yaml';
import { answerTo } from './flow/answer.js';
import type { Detection } from './detect/detect.js';
import { hasDeployment, readAnswer } from './flow/partial-answers.js';
import { environmentName, questions } from './questions/index.js';
import type { Draft } from './init-answers.js';

/** An answers file: YAML in the order of the questions. Secrets are left out and listed at the top. */
export function answersFile(draft: Draft, profile: string, detected: Detection): string {
  const applying = questions.filter((question) => question.when?.(draft, detected) ?? true);
  const secrets = applying.filter(({ kind }) => kind === 'secret');
  const document = new Document({});
  for (const question of applying) {
    if (question.kind === 'secret') continue;
    // without a deployment, the whole object is null
    const path =
      question.key === 'deployment.flavour' && !hasDeployment(draft)
        ? ['deployment']
        : question.key.split('.');
    const value = document.createNode(readAnswer(draft, path.join('.')) ?? null);
    if (answerTo(question, draft) === undefined) value.comment = ' required';
    document.setIn(path, value);
  }
  document.commentBefore = [
    ` Answers for: dsa-slurm init --answers <this file> --yes`,
    ` Profile: ${profile}`,
    ...(secrets.length === 0
      ? []
      : [
          ' Passwords are left out. Give them in the environment, or as lines of key=value with --answers-stdin:',
          ...secrets.map(
            (question) =>
              `   ${question.key}: ${environmentName(question)}${question.optional ? ' (optional)' : ''}`,
          ),
        ]),
  ].join('\n');
  return document.toString({ lineWidth: 0 });
}
