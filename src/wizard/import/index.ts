import { readIni } from '../../base/ini.js';
import { dirname, join, resolve } from 'node:path';
import { mergeDrafts } from '../flow/partial-answers.js';
import type { Draft } from '../init-answers.js';
import {
  answersOfCompose,
  answersOfEnvironment,
  answersOfIni,
  answersOfSubmitScript,
  type Part,
} from './answers-of.js';
import { readCompose } from './compose.js';
import { readOld } from './read-old.js';
import { readRunScript } from './run-sh.js';

/** What an old site tells. */
export interface Imported {
  answers: Draft;
  /** The files that it was read from, absolute. */
  found: string[];
  /** Whole sentences for the operator, without secrets. */
  notes: string[];
}

/** Where the old files are below the directory that the operator names: that of the compose file, or the worker's. */
const scriptPlaces = ['run.sh', 'worker/run.sh'];
const configDirectories = [
  '.',
  'lib/girder_worker/girder_worker',
  'worker',
  'worker/lib/girder_worker/girder_worker',
  'girder_worker',
];
const composeNames = ['docker-compose.yml', 'docker-compose.yaml', 'compose.yml', 'compose.yaml'];

/**
 * Reads the files of an existing site as data. What they agree on hardly needs saying; where they do not, the nearest to
 * the running worker wins: run.sh, then worker.local.cfg, then worker.dist.cfg, then the compose file, then the
 * `#SBATCH` lines of the submit script. Never throws: what cannot be read is told in the notes.
 */
export async function importOld(dir: string): Promise<Imported> {
  const directory = resolve(dir);
  const found: string[] = [];
  const notes: string[] = [];
  const parts: Part[] = [];
  const take = (path: string, part: Part): void => {
    found.push(path);
    parts.push(part);
    notes.push(...part.notes.map((note) => `${path}: ${note}`));
  };

  let oldScript: string | undefined;
  const script = await firstOf(scriptPlaces.map((place) => join(directory, place)));
  if (script !== null) {
    const { values, notes } = readRunScript(script.text, dirname(script.path));
    const part = answersOfEnvironment(values, dirname(script.path));
    take(script.path, { answers: part.answers, notes: [...notes, ...part.notes] });
    const submit = values.get('GIRDER_WORKER_SLURM_SUBMIT_SCRIPT');
    if (submit !== undefined && submit !== '') oldScript = resolve(dirname(script.path), submit);
  }

  const compose = await firstOf(composeNames.map((name) => join(directory, name)));
  const env = readEnv((await readOld(join(directory, '.env'))) ?? '');
  const services = compose === null ? null : readCompose(compose.text, directory, env);
  const composePart = services === null ? null : answersOfCompose(services, directory);

  for (const name of ['worker.local.cfg', 'worker.dist.cfg']) {
    const config = await firstOf(configDirectories.map((place) => join(directory, place, name)));
    if (config === null) continue;
    take(
      config.path,
      seenFromOutside(answersOfIni(readIni(config.text)), services?.has('rabbitmq') === true),
    );
  }
  if (compose !== null) {
    take(compose.path, composePart ?? { answers: {}, notes: ['It cannot be read as a compose file.'] });
  }
  if (oldScript !== undefined) {
    const text = await readOld(oldScript);
    if (text !== null) take(oldScript, answersOfSubmitScript(text));
  }
  if (found.length === 0)
    notes.push(`No run.sh, worker.local.cfg, worker.dist.cfg or compose file in ${directory}.`);
  return { answers: mergeDrafts(...parts.map((part) => part.answers)), found, notes };
}

/** The name `rabbitmq` means something only inside the containers: then the compose file says how it is reached. */
function seenFromOutside({ answers, notes }: Part, hasRabbitmq: boolean): Part {
  if (!hasRabbitmq || answers.broker?.host !== 'rabbitmq') return { answers, notes };
  const { host: _host, port: _port, ...broker } = answers.broker;
  return { answers: { ...answers, broker }, notes };
}

async function firstOf(paths: readonly string[]): Promise<{ path: string; text: string } | null> {
  for (const path of paths) {
    const text = await readOld(path);
    if (text !== null) return { path, text };
  }
  return null;
}

/** `NAME=value` of a compose `.env`, with or without quotes. */
function readEnv(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').map((line) => /^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$/.exec(line));
  return new Map(
    lines.flatMap((match) => {
      const [, name, value = ''] = match ?? [];
      return name === undefined ? [] : [[name, value.replace(/^(['"])(.*)\1$/, '$2')] as const];
    }),
  );
}
