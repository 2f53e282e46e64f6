import { mkdirSync } from 'node:fs';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import { checkValue, findSetting } from './catalog.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { readProfile, unknownSetting, type ProfileFile } from './profile.js';

export interface SaveOptions {
  profile: string;
  configDir: string;
  /** Values by key; undefined removes the key, so that its default applies. */
  values: Readonly<Record<string, unknown>>;
}

/**
 * Writes settings to a profile atomically, with mode 0600, and leaves its other settings alone. All or nothing.
 * @returns the file's path
 * @throws ConfigError with every problem at once; then nothing was written. A file that cannot be read as JSON is never
 * written to. @throws DsaSlurmError `files` if the file cannot be written.
 */
export async function saveSettings({ profile, configDir, values }: SaveOptions): Promise<string> {
  const file = readProfile(configDir, profile);
  const content = changeProfile(file, values);
  const { default: Conf } = await import('conf');
  try {
    mkdirSync(configDir, { recursive: true, mode: 0o700 });
    const store = new Conf<Record<string, unknown>>({
      cwd: configDir,
      configName: profile,
      projectSuffix: '',
      configFileMode: 0o600,
      clearInvalidConfig: false,
      serialize: profileText,
    });
    store.store = content;
  } catch (thrown) {
    throw new DsaSlurmError('files', `${file.path} cannot be written: ${errorLine(thrown)}.`, {
      next: `Check that you own ${configDir} and that its file system has space.`,
      cause: thrown,
    });
  }
  return file.path;
}

/**
 * The content of a profile with these settings changed.
 * @param values by key; undefined removes the key
 * @throws ConfigError with every problem at once
 */
export function changeProfile(
  { content, broken, unknown }: Pick<ProfileFile, 'content' | 'broken' | 'unknown'>,
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const problems: ConfigProblem[] = broken === null ? [] : [broken];
  const changed: Record<string, unknown> = structuredClone(content);
  for (const [key, value] of Object.entries(values)) {
    const setting = findSetting(key);
    if (setting === undefined) {
      problems.push(unknownSetting(key, 'the value given'));
      continue;
    }
    const { group, name, info } = setting;
    // a group that is not an object would have to be overwritten
    const groupProblems = unknown.filter((problem) => problem.key === group);
    if (groupProblems.length > 0) {
      problems.push(...groupProblems.filter((problem) => !problems.includes(problem)));
      continue;
    }
    const checked = value === undefined ? { ok: true as const, value } : checkValue(setting, value);
    if (!checked.ok) {
      for (const complaint of checked.errors) {
        problems.push({
          key,
          source: 'the value given',
          message: `${key} ${complaint}.`,
          fix: `For example: ${info.example}`,
        });
      }
      continue;
    }
    const members = { ...(changed[group] as Record<string, unknown> | undefined) };
    if (checked.value === undefined) delete members[name];
    else members[name] = checked.value;
    if (Object.keys(members).length > 0) changed[group] = members;
    else delete changed[group];
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return changed;
}

/** The text of a profile's file. */
export function profileText(content: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}
