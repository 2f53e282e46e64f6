import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../base/errors.js';
import { configDirectory, profilePath, unitDirectory } from '../../config/paths.js';
import { compare, type Change } from './index.js';
import type { Asker } from '../flow/prompter.js';
import { secretsOf } from '../flow/complete.js';
import { planFiles, type PlanPlaces } from '../files/index.js';
import { indented, mark } from '../flow/output.js';
import type { SiteAnswers } from '../init-answers.js';

type Env = Readonly<Record<string, string | undefined>>;

/** What a worker needs of the environment that it was set up in. */
const carried = [
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

/** What writing would do. Changes nothing. @throws DsaSlurmError */
export async function planChanges(answers: SiteAnswers, env: Env, program: string): Promise<Change[]> {
  const places = await planPlaces(answers.profile, env, program);
  return compare(planFiles(answers, places), {
    manifestPath: manifestPath(env, answers.profile),
    secrets: secretsOf(answers),
  });
}

async function planPlaces(profile: string, env: Env, program: string): Promise<PlanPlaces> {
  const configDir = configDirectory(env);
  return {
    configDir,
    unitDir: unitDirectory(env),
    program,
    environment: Object.fromEntries(
      carried.flatMap((name) => {
        const value = env[name];
        return value === undefined || value === '' ? [] : [[name, value] as const];
      }),
    ),
    profileText: await textOf(profilePath(configDir, profile)),
  };
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}

const words = {
  new: 'new      ',
  changed: 'changed  ',
  same: 'same     ',
  edited: 'by hand  ',
} as const;

/** The list of files, one or two lines each. */
export function planText(changes: readonly Change[]): string {
  return changes
    .map(({ change, file }) => {
      const word = change === 'same' ? mark.dim(words[change]) : words[change];
      const path = `  ${word}${file.path}`;
      return `${path}\n${mark.dim(`           ${file.purpose}`)}`;
    })
    .join('\n');
}

/** The differences of all files, for a pager or a log. */
export function diffText(changes: readonly Change[]): string {
  return changes
    .filter(({ diff }) => diff !== '')
    .map(
      ({ file, change, diff }) =>
        `${mark.heading(`${file.path} (${change === 'edited' ? 'changed by hand' : change})`)}\n${diff}`,
    )
    .join('\n\n');
}

/** What the person wants after having seen the list. */
export type Decision = { kind: 'write' } | { kind: 'change' } | { kind: 'stop' };

/** Shows what will be written, and asks. */
export async function review(changes: readonly Change[], asker: Asker): Promise<Decision> {
  asker.say(`\n${mark.heading('Files')}`);
  asker.say(planText(changes));
  const differing = changes.filter(({ change }) => change !== 'same').length;
  if (differing === 0) asker.say(indented('Nothing has to be written.'));
  for (;;) {
    const reply = await asker.choose({
      message: 'What now?',
      choices: [
        { value: 'write', name: differing === 0 ? 'finish' : `write ${differing === 1 ? 'it' : 'them'}` },
        ...(differing === 0 ? [] : [{ value: 'diff', name: 'show what changes in them' }]),
        { value: 'change', name: 'change an answer' },
        { value: 'stop', name: 'stop here; the answers are kept' },
      ],
      proposal: 'write',
      back: false,
    });
    const choice = reply.kind === 'text' ? reply.text : 'change';
    if (choice === 'diff') asker.say(`\n${diffText(changes)}\n`);
    else return { kind: choice === 'write' || choice === 'change' ? choice : 'stop' };
  }
}

/** One file that was changed by hand: whether to overwrite it. */
export async function decideEdited(change: Change, asker: Asker): Promise<'overwrite' | 'keep'> {
  asker.say(`\n${mark.careful} ${change.file.path}`);
  asker.say(indented('It was changed by hand, or is not from init.'));
  for (;;) {
    const reply = await asker.choose({
      message: 'What shall become of it?',
      choices: [
        { value: 'keep', name: 'leave it as it is' },
        { value: 'overwrite', name: 'overwrite it; a backup stays beside it' },
        { value: 'diff', name: 'show the difference' },
      ],
      proposal: 'keep',
      back: false,
    });
    if (reply.kind === 'text' && reply.text === 'diff') asker.say(change.diff);
    else return reply.kind === 'text' && reply.text === 'overwrite' ? 'overwrite' : 'keep';
  }
}
