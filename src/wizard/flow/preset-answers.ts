import { parse } from 'yaml';
import { DsaSlurmError } from '../../base/errors.js';
import { closestMatch } from '../../config/config-error.js';
import { environmentName, questions, type Question } from '../questions/index.js';

/** Answers given as flags, in the environment or in a file, by key: text and origin. */
export type PresetAnswers = ReadonlyMap<string, { text: string; origin: string }>;

export interface PresetSources {
  /** By key. */
  flags: Readonly<Record<string, string>>;
  env: Readonly<Record<string, string | undefined>>;
  /** An answers file (YAML or JSON) and its name. */
  file: { name: string; text: string } | null;
  /** Lines of `key=value` from standard input. */
  lines: string | null;
}

/**
 * Collects answers from flags, standard input, the environment and the answers file, in this order of precedence.
 * @throws DsaSlurmError `usage` for unknown keys, and for secrets in flags
 */
export function collectPresets({ flags, env, file, lines }: PresetSources): PresetAnswers {
  const presets = new Map<string, { text: string; origin: string }>();
  const add = (key: string, text: string, origin: string): void => {
    if (!presets.has(key)) presets.set(key, { text, origin });
  };
  for (const [key, text] of Object.entries(flags)) {
    const question = questionFor(key, 'flag');
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
    add(questionFor(key, 'standard input').key, text.replace(/\r$/, ''), 'standard input');
  }
  for (const question of questions) {
    const name = environmentName(question);
    const text = env[name];
    if (text !== undefined && text !== '') add(question.key, text, name);
  }
  if (file !== null) {
    const answers = readAnswersFile(file.text, file.name);
    const unknown = [...answers.keys()].filter((key) => !questions.some((each) => each.key === key));
    if (unknown.length > 1) throw unknownKeys(unknown, file.name);
    for (const [key, text] of answers) add(questionFor(key, file.name).key, text, file.name);
  }
  return presets;
}

function questionFor(key: string, where: string): Question {
  const question = questions.find((each) => each.key === key);
  if (question !== undefined) return question;
  const suggestion = suggestionFor(key);
  throw new DsaSlurmError('usage', `Unknown answer key ${shownKey(key)} (from ${where}).`, {
    next: suggestion === undefined ? listKeys : `Did you mean ${suggestion}?`,
  });
}

const listKeys = 'To list all keys, run: dsa-slurm init --print-answers';

/** All unknown keys of a file at once. */
function unknownKeys(keys: readonly string[], where: string): DsaSlurmError {
  const lines = keys.map((key) => {
    const suggestion = suggestionFor(key);
    return `\n  ${shownKey(key)}${suggestion === undefined ? '' : `: did you mean ${suggestion}?`}`;
  });
  return new DsaSlurmError('usage', `${keys.length} unknown answer keys (from ${where}):${lines.join('')}`, {
    next: listKeys,
  });
}

/** In a malformed line, the key may be a password. */
function shownKey(key: string): string {
  return /^[\w.]{1,60}$/.test(key) ? `"${key}"` : 'in a malformed line';
}

function suggestionFor(key: string): string | undefined {
  return closestMatch(
    key,
    questions.map((each) => each.key),
  );
}

/** The answers of a file as texts by key: `broker.port` -> `5672`. Ignores `profile`, which `--profile` selects. */
function readAnswersFile(text: string, name: string): Map<string, string> {
  let tree: unknown;
  try {
    // the parser's message quotes the line, which may contain a password
    tree = parse(text, { logLevel: 'error' });
  } catch {
    throw new DsaSlurmError('usage', `${name} is neither YAML nor JSON.`, {
      next: 'To create one, run: dsa-slurm init --print-answers',
    });
  }
  const leaves = new Map<string, string>();
  const flow = (value: unknown, path: readonly string[]): void => {
    const key = path.join('.');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [part, below] of Object.entries(value)) flow(below, [...path, part]);
    } else if (key === 'deployment' && value === null) {
      leaves.set('deployment.flavour', 'none');
    } else if (typeof value === 'boolean') {
      leaves.set(key, value ? 'yes' : 'no');
    } else if (value === null || typeof value === 'string' || typeof value === 'number') {
      leaves.set(key, value === null ? '-' : String(value));
    } else {
      throw new DsaSlurmError(
        'usage',
        `${key === '' ? name : key} in ${name} must be a string, a number or null.`,
      );
    }
  };
  if (tree !== null && tree !== undefined) flow(tree, []);
  leaves.delete('profile');
  return leaves;
}
