import { fstatSync, closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { errorLine, systemCode } from '../base/errors.js';
import { catalog } from './catalog.js';
import { profilePath } from './paths.js';
import { closestMatch, type ConfigProblem } from './config-error.js';

/** A profile as read from its file. */
export interface ProfileFile {
  path: string;
  exists: boolean;
  /** The JSON object; empty if the file is missing or broken. */
  content: Readonly<Record<string, unknown>>;
  /** Values by key, not validated. */
  values: ReadonlyMap<string, unknown>;
  /** Set if the file is not a JSON object; then it must not be overwritten. */
  broken: ConfigProblem | null;
  /** Problems with keys that are not settings. */
  unknown: ConfigProblem[];
  warnings: string[];
}

/** Reads a profile. @throws DsaSlurmError `usage` for an invalid name */
export function readProfile(configDir: string, profile: string): ProfileFile {
  const path = profilePath(configDir, profile);
  const file = emptyProfile(path);
  let text: string;
  try {
    const descriptor = openSync(path, 'r');
    try {
      if ((fstatSync(descriptor).mode & 0o077) !== 0) {
        file.warnings.push(
          `Other users can read ${path}, which may contain a password. Run: chmod 600 ${path}`,
        );
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
        fix: `Make ${path} readable for you.`,
      },
    };
  }

  return { ...parseProfile(text, path), warnings: file.warnings };
}

/** Parses the text of a profile. @param path for messages */
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
        fix: 'Correct it, or move it away. dsa-slurm does not overwrite it.',
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

/** Names of the existing profiles. */
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

export function unknownSetting(key: string, source: string): ConfigProblem {
  const known = catalog.flatMap((setting) => [setting.key, setting.group]);
  const suggestion = closestMatch(key, known);
  return {
    key,
    source,
    message: `${JSON.stringify(key)} is not a setting.`,
    fix: suggestion === undefined ? 'Run: dsa-slurm config show --all' : `Did you mean ${suggestion}?`,
  };
}

function flatten(
  content: Record<string, unknown>,
  source: string,
): Pick<ProfileFile, 'unknown'> & { values: Map<string, unknown> } {
  const values = new Map<string, unknown>();
  const unknown: ConfigProblem[] = [];
  for (const [group, members] of Object.entries(content)) {
    if (group === '$schema') continue; // for editors: docs/config.schema.json
    const known = catalog.filter((setting) => setting.group === group);
    if (known.length === 0) {
      unknown.push(dottedKeyProblem(group, source) ?? unknownSetting(group, source));
    } else if (isTable(members)) {
      for (const [name, value] of Object.entries(members)) {
        if (known.some((setting) => setting.name === name)) values.set(`${group}.${name}`, value);
        else unknown.push(unknownSetting(`${group}.${name}`, source));
      }
    } else {
      unknown.push({
        key: group,
        source,
        message: `${group} must be an object that contains settings.`,
        fix: `Write it like {"${group}": {"${known[0]?.name}": …}}.`,
      });
    }
  }
  return { values, unknown };
}

/** A likely mistake: `"slurm.partition": …` at the top level. */
function dottedKeyProblem(key: string, source: string): ConfigProblem | undefined {
  const setting = catalog.find((candidate) => candidate.key === key);
  if (setting === undefined) return undefined;
  return {
    key,
    source,
    message: `${JSON.stringify(key)} is a setting, but in a profile it belongs inside its group.`,
    fix: `Write it like {"${setting.group}": {"${setting.name}": …}}.`,
  };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
