import { parse } from 'yaml';
import { DsaSlurmError } from '../../base/errors.js';
import { closestMatch } from '../../config/config-error.js';
import { environmentName, questions, type Question } from '../questions/index.js';

/** Answers that were given from outside, by key: as text, and where it came from. */
export type Given = ReadonlyMap<string, { text: string; origin: string }>;

export interface GivenSources {
  /** By key. */
  flags: Readonly<Record<string, string>>;
  env: Readonly<Record<string, string | undefined>>;
  /** An answers file, YAML or JSON, and its name. */
  file: { name: string; text: string } | null;
  /** Lines `key=value` from standard input. */
  lines: string | null;
}

/**
 * Brings flags, standard input, environment and answers file together; of one answer the first of these wins.
 * @throws DsaSlurmError `usage` for keys that mean nothing, and for secrets in flags
 */
export function gatherGiven({ flags, env, file, lines }: GivenSources): Given {
  const given = new Map<string, { text: string; origin: string }>();
  const add = (key: string, text: string, origin: string): void => {
    if (!given.has(key)) given.set(key, { text, origin });
  };
  for (const [key, text] of Object.entries(flags)) {
    const question = known(key, 'flag');
    if (question.kind === 'secret') {
      throw new DsaSlurmError('usage', `${key} is a secret, and every user of this machine can read flags.`, {
        next: `Use the environment (${environmentName(question)}), or --answers-stdin.`,
      });
    }
    add(key, text, question.flag ?? '--answer');
  }
  for (const line of (lines ?? '').split('\n')) {
    if (line.trim() === '') continue;
    const [, key = '', text = ''] = /^\s*([\w.]+)\s*=(.*)$/s.exec(line) ?? [];
    add(known(key, 'standard input').key, text.replace(/\r$/, ''), 'standard input');
  }
  for (const question of questions) {
    const name = environmentName(question);
    const text = env[name];
    if (text !== undefined && text !== '') add(question.key, text, name);
  }
  if (file !== null) {
    for (const [key, text] of readAnswersFile(file.text, file.name))
      add(known(key, file.name).key, text, file.name);
  }
  return given;
}

function known(key: string, where: string): Question {
  const question = questions.find((each) => each.key === key);
  if (question !== undefined) return question;
  // the key of an unreadable line may be a password
  const shown = /^[\w.]{1,60}$/.test(key) ? `"${key}"` : 'A line';
  const meant = closestMatch(
    key,
    questions.map((each) => each.key),
  );
  throw new DsaSlurmError('usage', `${shown} in ${where} is no answer that init asks for.`, {
    next: meant === undefined ? 'All of them: dsa-slurm init --print-answers' : `Did you mean ${meant}?`,
  });
}

/** The leaves of an answers file as texts: `broker.port` -> `5672`. `profile` is left to `--profile`. */
function readAnswersFile(text: string, name: string): Map<string, string> {
  let tree: unknown;
  try {
    // YAML's own message quotes the line, which may hold a password
    tree = parse(text, { logLevel: 'error' });
  } catch {
    throw new DsaSlurmError('usage', `${name} is neither YAML nor JSON.`, {
      next: 'Begin with one made by: dsa-slurm init --print-answers',
    });
  }
  const leaves = new Map<string, string>();
  const walk = (value: unknown, path: readonly string[]): void => {
    const key = path.join('.');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [part, below] of Object.entries(value)) walk(below, [...path, part]);
    } else if (key === 'deployment' && value === null) {
      leaves.set('deployment.flavour', 'none');
    } else if (typeof value === 'boolean') {
      leaves.set(key, value ? 'yes' : 'no');
    } else if (value === null || typeof value === 'string' || typeof value === 'number') {
      leaves.set(key, value === null ? '-' : String(value));
    } else {
      throw new DsaSlurmError(
        'usage',
        `${key === '' ? name : key} in ${name} must be a text, a number or null.`,
      );
    }
  };
  if (tree !== null && tree !== undefined) walk(tree, []);
  leaves.delete('profile');
  return leaves;
}
