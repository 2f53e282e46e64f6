import { readdir } from 'node:fs/promises';
import { Option, type Argument } from 'commander';
import type { Setting } from '../../config/index.js';

/** A value, or `:files` or `:directories`, which the shell completes. */
export interface Candidate {
  value: string;
  about: string;
}

interface Request {
  /** The option or argument whose value is completed. */
  of: Option | Argument;
  /** The value so far. */
  last: string;
  /** Name of the innermost command: `cancel`. */
  command: string;
  /** Arguments before this one. */
  given: readonly string[];
  profile: string;
  env: Readonly<Record<string, string | undefined>>;
}

const files: readonly Candidate[] = [{ value: ':files', about: '' }];

/** The values that an option or argument can have. What cannot be read has no candidates. */
export async function candidatesFor(request: Request): Promise<readonly Candidate[]> {
  const { of, last, command, given, env } = request;
  if (of.argChoices !== undefined) return of.argChoices.map((value) => ({ value, about: '' }));
  const name = of instanceof Option ? (of.long ?? '') : of.name();
  switch (name) {
    case '--profile': {
      const { configDirectory, listProfiles } = await import('../../config/index.js');
      return listProfiles(configDirectory(env)).map((value) => ({ value, about: 'profile' }));
    }
    case '--set':
      return settings(last);
    case '--answer': {
      const { questions } = await import('../../wizard/questions/index.js');
      return questions.map(({ key, about }) => ({ value: `${key}=`, about }));
    }
    case 'key':
      return (await catalog()).map(({ key, info }) => ({ value: key, about: info.description }));
    case 'value': {
      const setting = (await catalog()).find(({ key }) => key === given[0]);
      return setting === undefined ? [] : valuesOf(setting);
    }
    case '--only':
    case '--skip': {
      const { allChecks } = await import('../../doctor/index.js');
      const groups = [...new Set(allChecks.map(({ group }) => group))];
      return [
        ...groups.map((value) => ({ value, about: 'all checks of this group' })),
        ...allChecks.map(({ id, title }) => ({ value: id, about: title })),
      ];
    }
    case '--log-level': {
      const setting = (await catalog()).find(({ key }) => key === 'log.level');
      return setting === undefined ? [] : valuesOf(setting);
    }
    case '--stage':
    case '--outcome': {
      const { stages, outcomes } = await import('../../worker/run-state/run.js');
      return (name === '--stage' ? stages : outcomes).map((value) => ({ value, about: '' }));
    }
    case 'run':
      return runs(request);
    case 'image':
      return command === 'pull' || command === 'explain' ? [] : imageFiles(request);
    case 'file':
    case '--answers':
    case '--log-file':
      return files;
    case '--dir':
    case '--site':
    case '--from':
      return [{ value: ':directories', about: '' }];
    default:
      return [];
  }
}

async function catalog(): Promise<readonly Setting[]> {
  return (await import('../../config/index.js')).catalog;
}

/** `slurm.partition=`, or after that the values that it can have. */
async function settings(last: string): Promise<readonly Candidate[]> {
  const [key, value] = last.split(/=(.*)/s);
  // secrets are refused as flags
  const all = (await catalog()).filter(({ info }) => info.secret !== true);
  if (value === undefined)
    return all.map((each) => ({ value: `${each.key}=`, about: each.info.description }));
  const setting = all.find((each) => each.key === key);
  if (setting === undefined) return [];
  return valuesOf(setting).map((each) => ({ ...each, value: `${setting.key}=${each.value}` }));
}

/** The words of a setting that allows only some. */
function valuesOf({ kind, type }: Setting): readonly Candidate[] {
  if (kind === 'boolean') return ['true', 'false'].map((value) => ({ value, about: '' }));
  const { options } = type as { options?: unknown };
  return Array.isArray(options) ? options.map((value) => ({ value: String(value), about: '' })) : [];
}

async function loadSettings({ profile, env }: Request) {
  const config = await import('../../config/index.js');
  return config.loadSettings({ profile, flags: {}, flagNames: {}, env }).settings;
}

/** Runs that the command can act on, newest first. Read from the journal: a worker that hangs must not delay a prompt. */
async function runs(request: Request): Promise<readonly Candidate[]> {
  const { command, given } = request;
  const { dirs } = await loadSettings(request);
  const { viewJournal } = await import('../../worker/runs/view-journal.js');
  const { systemClock } = await import('../../base/clock.js');
  const { runs: all } = await viewJournal(dirs.state, systemClock);
  return all
    .filter(({ id, outcome }) => {
      if (given.includes(id)) return false;
      if (command === 'cancel') return outcome === null;
      return command === 'retry' || command === 'forget' ? outcome !== null : true;
    })
    .toSorted((a, b) => b.acceptedAt - a.acceptedAt)
    .map(({ id, stage, outcome, image, title }) => ({
      value: id,
      about: [outcome ?? stage, title ?? image].join(' '),
    }));
}

async function imageFiles(request: Request): Promise<readonly Candidate[]> {
  const { dirs } = await loadSettings(request);
  if (dirs.images === null) return [];
  const names = await readdir(dirs.images);
  return names.filter((name) => name.endsWith('.sif')).map((value) => ({ value, about: 'image file' }));
}
