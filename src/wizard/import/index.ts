import { readIni } from '../../base/text/ini.js';
import { dirname, join, resolve } from 'node:path';
import { siteDefaults } from '../../config/catalog.js';
import { mergeDrafts, readAnswer } from '../flow/partial-answers.js';
import { answeredSettings } from '../questions/index.js';
import type { Draft } from '../init-answers.js';
import {
  answersOfCompose,
  answersOfEnvironment,
  answersOfIni,
  answersOfSubmitScript,
  readSbatchLines,
  type ImportedAnswers,
} from './answers-of.js';
import {
  composeValues,
  iniValues,
  optionValues,
  sbatchValues,
  scriptValues,
  type OldValue,
} from './old-values.js';
import { readCompose } from '../../doctor/site-files/compose.js';
import { readEnv } from '../../doctor/site-files/env-file.js';
import { readSiteFile } from '../../doctor/site-files/read-site-file.js';
import { readRunScript } from '../../doctor/site-files/run-script.js';

/** Answers from the files of an existing site. */
export interface ImportedSite {
  answers: Draft;
  /** Absolute paths of the files that were read. */
  found: string[];
  /** Everything that these files set, in their order of precedence. Contains secrets. */
  values: OldValue[];
  /** Settings without a question, by key. */
  settings: Readonly<Record<string, unknown>>;
  /** Complete sentences for the operator, without secrets. */
  notes: string[];
}

/** Paths below the given directory, which is that of the compose file or of the worker. */
const scriptPaths = ['run.sh', 'worker/run.sh'];
const configDirectories = [
  '.',
  'lib/girder_worker/girder_worker',
  'worker',
  'worker/lib/girder_worker/girder_worker',
  'girder_worker',
];
const composeNames = ['docker-compose.yml', 'docker-compose.yaml', 'compose.yml', 'compose.yaml'];

/**
 * Reads the files of an existing site without executing them. Order of precedence: run.sh, worker.local.cfg, worker.dist.cfg,
 * the compose file, and the `#SBATCH` lines of the submit script. Never throws: problems are reported in the notes.
 */
export async function importSite(dir: string): Promise<ImportedSite> {
  const directory = resolve(dir);
  const found: string[] = [];
  const notes: string[] = [];
  const parts: ImportedAnswers[] = [];
  const old: OldValue[] = [];
  let settings: Record<string, unknown> = {};
  const take = (path: string, part: ImportedAnswers): void => {
    found.push(path);
    parts.push(part);
    notes.push(...part.notes.map((note) => `${path}: ${note}`));
  };

  let submitScript: string | undefined;
  const script = await firstOf(scriptPaths.map((path) => join(directory, path)));
  if (script !== null) {
    const { values, unknown, commands, notes } = readRunScript(script.text, dirname(script.path));
    const options = optionValues(script.path, commands);
    old.push(...scriptValues(script.path, values, unknown), ...options.values);
    settings = options.settings;
    const part = answersOfEnvironment(values, dirname(script.path));
    take(script.path, { answers: part.answers, notes: [...notes, ...part.notes] });
    const submit = values.get('GIRDER_WORKER_SLURM_SUBMIT_SCRIPT');
    if (submit !== undefined && submit !== '') submitScript = resolve(dirname(script.path), submit);
  }

  const compose = await firstOf(composeNames.map((name) => join(directory, name)));
  const env = readEnv((await readSiteFile(join(directory, '.env'))) ?? '');
  const services = compose === null ? null : readCompose(compose.text, directory, env);
  const composePart = services === null ? null : answersOfCompose(services, directory);

  for (const name of ['worker.local.cfg', 'worker.dist.cfg']) {
    const config = await firstOf(configDirectories.map((place) => join(directory, place, name)));
    if (config === null) continue;
    const values = readIni(config.text);
    old.push(...iniValues(config.path, values));
    take(config.path, seenFromOutside(answersOfIni(values), services?.has('rabbitmq') === true));
  }
  if (compose !== null) {
    old.push(...composeValues(compose.path, composePart?.answers ?? {}));
    take(compose.path, composePart ?? { answers: {}, notes: ['This is not a valid compose file.'] });
  }
  if (submitScript !== undefined) {
    const text = await readSiteFile(submitScript);
    if (text !== null) {
      const options = readSbatchLines(text);
      old.push(...sbatchValues(submitScript, options));
      const part = answersOfSubmitScript(options);
      settings = { ...withoutQuestion(part.answers), ...settings };
      take(submitScript, part);
    }
  }
  if (found.length === 0)
    notes.push(`No run.sh, worker.local.cfg, worker.dist.cfg or compose file in ${directory}.`);
  return { answers: mergeDrafts(...parts.map((part) => part.answers)), found, values: old, settings, notes };
}

/** The defaults of jobs that init does not ask for, such as `slurm.gres`. */
function withoutQuestion(answers: Draft): Record<string, unknown> {
  return Object.fromEntries(
    siteDefaults
      .filter(({ setting }) => !answeredSettings.includes(setting))
      .flatMap(({ setting: { key } }) => {
        const value = readAnswer(answers, key);
        return value === undefined ? [] : [[key, value] as const];
      }),
  );
}

/** Drops the host name `rabbitmq`, which is valid only inside the containers; the compose file contains its port. */
function seenFromOutside({ answers, notes }: ImportedAnswers, hasRabbitmq: boolean): ImportedAnswers {
  if (!hasRabbitmq || answers.broker?.host !== 'rabbitmq') return { answers, notes };
  const { host: _host, port: _port, ...broker } = answers.broker;
  return { answers: { ...answers, broker }, notes };
}

async function firstOf(paths: readonly string[]): Promise<{ path: string; text: string } | null> {
  for (const path of paths) {
    const text = await readSiteFile(path);
    if (text !== null) return { path, text };
  }
  return null;
}
