import { fstatSync, closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { errorLine, systemCode } from '../base/errors.js';
import { catalog } from './catalog.js';
import { profilePath } from './paths.js';
import { nearest, type ConfigProblem } from './config-error.js';

/** A profile's file as it was read. */
export interface ProfileFile {
  path: string;
  exists: boolean;
  /** What it holds; empty if it is missing or broken. */
  content: Readonly<Record<string, unknown>>;
  /** Values by key, not checked yet. */
  values: ReadonlyMap<string, unknown>;
  /** The file cannot be read as a JSON object: it must not be written to either. */
  broken: ConfigProblem | null;
  /** Keys that are no settings. */
  unknown: ConfigProblem[];
  warnings: string[];
}

/** Reads a profile and changes nothing. @throws DsaSlurmError `usage` for a name that cannot be a profile's. */
export function readProfile(configDir: string, profile: string): ProfileFile {
  const path = profilePath(configDir, profile);
  const file = emptyProfile(path);
  let text: string;
  try {
    const descriptor = openSync(path, 'r');
    try {
      if ((fstatSync(descriptor).mode & 0o077) !== 0) {
        file.warnings.push(`Other users may read ${path}, which can hold a password. Run: chmod 600 ${path}`);
      }
      text = readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return { ...file, exists: false };
    return {
      ...file,
      broken: {
        key: null,
        source: `profile ${path}`,
        message: `${path} cannot be read: ${errorLine(thrown)}.`,
        fix: `Make ${path} a file that you can read.`,
      },
    };
  }

  return { ...parseProfile(text, path), warnings: file.warnings };
}

/** Reads the text of a profile. @param path for messages */
export function parseProfile(text: string, path: string): ProfileFile {
  const file = emptyProfile(path);
  const source = `profile ${path}`;
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    // the parser's own message quotes the text around the error, which may be a password
    return {
      ...file,
      broken: {
        key: null,
        source,
        message: `${path} is not complete JSON.`,
        fix: 'Correct it, or move it away and start again; dsa-slurm does not change it as it is.',
      },
    };
  }
  if (!isTable(content)) {
    return {
      ...file,
      broken: {
        key: null,
        source,
        message: `${path} does not hold a JSON object.`,
        fix: 'It should look like {"slurm": {"partition": "batch"}}.',
      },
    };
  }
  return { ...file, content, ...flatten(content, source) };
}

function emptyProfile(path: string): ProfileFile {
  return { path, exists: true, content: {}, values: new Map(), broken: null, unknown: [], warnings: [] };
}

/** Names of the profiles that there are. */
export function listProfiles(configDir: string): string[] {
  try {
    return readdirSync(configDir)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .sort();
  } catch {
    return [];
  }
}

export function unknownKey(key: string, source: string): ConfigProblem {
  const known = catalog.flatMap((setting) => [setting.key, setting.group]);
  const meant = nearest(key, known);
  return {
    key,
    source,
    message: `${JSON.stringify(key)} is not a setting.`,
    fix: meant === undefined ? 'Run: dsa-slurm config show' : `Did you mean ${meant}?`,
  };
}

function flatten(
  content: Record<string, unknown>,
  source: string,
): Pick<ProfileFile, 'unknown'> & { values: Map<string, unknown> } {
  const values = new Map<string, unknown>();
  const unknown: ConfigProblem[] = [];
  for (const [group, members] of Object.entries(content)) {
    if (group === '$schema') continue; // where editors look for docs/config.schema.json
    const known = catalog.filter((setting) => setting.group === group);
    if (known.length === 0) {
      unknown.push(nested(group, source) ?? unknownKey(group, source));
    } else if (isTable(members)) {
      for (const [name, value] of Object.entries(members)) {
        if (known.some((setting) => setting.name === name)) values.set(`${group}.${name}`, value);
        else unknown.push(unknownKey(`${group}.${name}`, source));
      }
    } else {
      unknown.push({
        key: group,
        source,
        message: `${group} must be an object that holds settings.`,
        fix: `Write it like {"${group}": {"${known[0]?.name}": …}}.`,
      });
    }
  }
  return { values, unknown };
}

/** `"slurm.partition": …` is a good guess at how the file is written, and wrong. */
function nested(key: string, source: string): ConfigProblem | undefined {
  const setting = catalog.find((candidate) => candidate.key === key);
  if (setting === undefined) return undefined;
  return {
    key,
    source,
    message: `${JSON.stringify(key)} is a setting, but is not written as one in a file.`,
    fix: `Write it like {"${setting.group}": {"${setting.name}": …}}.`,
  };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
