import { mkdirSync } from 'node:fs';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import { checkValue, findSetting } from './catalog.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { readProfile, unknownKey } from './profile.js';

export interface SaveOptions {
  profile: string;
  configDir: string;
  /** Values by key; undefined takes the key out, back to its default. */
  values: Readonly<Record<string, unknown>>;
}

/**
 * Writes settings into a profile, beside those that are there: atomically, with mode 0600. All or nothing.
 * @returns the file's path
 * @throws ConfigError with every problem at once; then nothing was written. A file that cannot be read as JSON is never
 * written to. @throws DsaSlurmError `files` if the file cannot be written.
 */
export async function saveSettings({ profile, configDir, values }: SaveOptions): Promise<string> {
  const { path, broken, unknown } = readProfile(configDir, profile);
  const problems: ConfigProblem[] = broken === null ? [] : [broken];
  const changes = new Map<string, unknown>();
  for (const [key, value] of Object.entries(values)) {
    const setting = findSetting(key);
    if (setting === undefined) {
      problems.push(unknownKey(key, 'the value given'));
      continue;
    }
    // a group that is no object would have to be overwritten
    problems.push(...unknown.filter((problem) => problem.key === setting.group));
    const checked = value === undefined ? { ok: true as const, value } : checkValue(setting, value);
    if (checked.ok) {
      changes.set(key, checked.value);
    } else {
      for (const complaint of checked.complaints) {
        problems.push({
          key,
          source: 'the value given',
          message: `${key} ${complaint}.`,
          fix: `For example: ${setting.info.example}`,
        });
      }
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);

  const { default: Conf } = await import('conf');
  try {
    mkdirSync(configDir, { recursive: true, mode: 0o700 });
    const store = new Conf<Record<string, unknown>>({
      cwd: configDir,
      configName: profile,
      projectSuffix: '',
      configFileMode: 0o600,
      clearInvalidConfig: false,
      serialize: (content) => `${JSON.stringify(content, null, 2)}\n`,
    });
    const content = structuredClone(store.store);
    for (const [key, value] of changes) assign(content, key, value);
    store.store = content;
  } catch (thrown) {
    throw new DsaSlurmError('files', `${path} cannot be written: ${errorLine(thrown)}.`, {
      next: `Check that ${configDir} is yours and has room.`,
      cause: thrown,
    });
  }
  return path;
}

function assign(content: Record<string, unknown>, key: string, value: unknown): void {
  const [group = '', name = ''] = key.split('.');
  const members = { ...(content[group] as Record<string, unknown> | undefined) };
  if (value === undefined) delete members[name];
  else members[name] = value;
  content[group] = members;
}
