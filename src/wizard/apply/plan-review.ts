import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../../base/errors.js';
import { configDirectory, profilePath, unitDirectory } from '../../config/paths.js';
import { compare, type Change } from './index.js';
import type { Prompter } from '../flow/prompter.js';
import { secretsOf } from '../flow/complete.js';
import { planFiles, type PlanContext } from '../files/index.js';
import { indented, style } from '../flow/output.js';
import type { InitAnswers } from '../init-answers.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Variables that are passed from the operator's environment to the worker. */
const passedVariables = [
  'PATH',
  'SLURM_CONF',
  'XDG_CONFIG_HOME',
  'XDG_STATE_HOME',
  'DSA_SLURM_CONFIG_DIR',
  'NODE_EXTRA_CA_CERTS',
  'APPTAINER_CACHEDIR',
  'APPTAINER_TMPDIR',
];

export function manifestPath(env: Env, profile: string): string {
  return join(configDirectory(env), 'init', `${profile}.manifest.json`);
}

/** Compares the files to write with the existing ones. @throws DsaSlurmError */
export async function planChanges(answers: InitAnswers, env: Env, program: string): Promise<Change[]> {
  const places = await planPlaces(answers.profile, env, program);
  return compare(planFiles(answers, places), {
    manifestPath: manifestPath(env, answers.profile),
    secrets: secretsOf(answers),
  });
}

async function planPlaces(profile: string, env: Env, program: string): Promise<PlanContext> {
  const configDir = configDirectory(env);
  return {
    configDir,
    unitDir: unitDirectory(env),
    user: accountName(),
    program,
    environment: Object.fromEntries(
      passedVariables.flatMap((name) => {
        const value = env[name];
        return value === undefined || value === '' ? [] : [[name, value] as const];
      }),
    ),
    profileText: await textOf(profilePath(configDir, profile)),
  };
}

/** The number if there is no name, or one that systemd does not take as it is. */
function accountName(): string {
  try {
    const { username } = userInfo();
    if (/^[A-Za-z_][\w.-]*$/.test(username)) return username;
  } catch {
    // an account from a directory service that is away
  }
  return String(process.getuid?.() ?? 0);
}

/** The text of a file; null if it does not exist. @throws other errors of the file system */
export async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}

const labels = {
  new: 'new      ',
  changed: 'changed  ',
  same: 'same     ',
  edited: 'edited   ',
} as const;

/** The list of files. */
export function planText(changes: readonly Change[]): string {
  return changes
    .map(({ change, file }) => {
      const label = change === 'same' ? style.dim(labels[change]) : labels[change];
      const path = `  ${label}${file.path}`;
      return `${path}\n${style.dim(`           ${file.purpose}`)}`;
    })
    .join('\n');
}

/** The diffs of all files. */
export function diffText(changes: readonly Change[]): string {
  return changes
    .filter(({ diff }) => diff !== '')
    .map(({ file, change, diff }) => `${style.heading(`${file.path} (${change})`)}\n${coloredDiff(diff)}`)
    .join('\n\n');
}

/** Added lines green, removed ones red. */
function coloredDiff(diff: string): string {
  const colors = { '+': style.added, '-': style.removed, '@': style.dim } as const;
  return diff
    .split('\n')
    .map((line) => {
      const sign = line.charAt(0);
      return sign === '+' || sign === '-' || sign === '@' ? colors[sign](line) : line;
    })
    .join('\n');
}

/** The operator's decision about the listed files. */
type Decision = { kind: 'write' } | { kind: 'change' } | { kind: 'stop' };

/** Shows what will be written, and asks whether to do so. */
export async function review(changes: readonly Change[], prompter: Prompter): Promise<Decision> {
  prompter.print(`\n${style.heading('Files')}`);
  prompter.print(planText(changes));
  const differing = changes.filter(({ change }) => change !== 'same').length;
  if (differing === 0) prompter.print(indented('All files are up to date.'));
  for (;;) {
    const reply = await prompter.choose({
      message: 'What next?',
      choices: [
        { value: 'write', name: differing === 0 ? 'finish' : `write ${differing === 1 ? 'it' : 'them'}` },
        ...(differing === 0 ? [] : [{ value: 'diff', name: 'show the differences' }]),
        { value: 'change', name: 'change an answer' },
        { value: 'stop', name: 'stop; the answers are kept' },
      ],
      proposal: 'write',
      back: false,
    });
    const choice = reply.kind === 'text' ? reply.text : 'change';
    if (choice === 'diff') await prompter.page(`\n${diffText(changes)}\n`);
    else return { kind: choice === 'write' || choice === 'change' ? choice : 'stop' };
  }
}

/** Asks whether to overwrite an edited file. */
export async function decideEdited(change: Change, prompter: Prompter): Promise<'overwrite' | 'keep'> {
  prompter.print(`\n${style.careful} ${change.file.path}`);
  prompter.print(indented('It was edited, or is not from init.'));
  for (;;) {
    const reply = await prompter.choose({
      message: 'What should be done with it?',
      choices: [
        { value: 'keep', name: 'keep it' },
        { value: 'overwrite', name: 'overwrite it, and keep a backup' },
        { value: 'diff', name: 'show the differences' },
      ],
      proposal: 'keep',
      back: false,
    });
    if (reply.kind === 'text' && reply.text === 'diff') await prompter.page(coloredDiff(change.diff));
    else return reply.kind === 'text' && reply.text === 'overwrite' ? 'overwrite' : 'keep';
  }
}
