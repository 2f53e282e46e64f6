import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { replaceFile } from '../../base/files/replace-file.js';
import { defaultPreferences, type Preferences } from '../state/preferences.js';
import { jobScopes } from '../state/rows.js';
import { tableNames } from '../state/state.js';
import { themeNames } from '../terminal/theme.js';

/** In the state directory of the profile. */
const fileName = 'console.json';

const tableName = z.enum(tableNames);
const columnId = z.string().max(40);
const columns = z.array(columnId).max(40);

/** An invalid field, for example of another release, falls back to its default without affecting the others. */
const preferencesSchema = z.object({
  columns: z
    .union([
      z.partialRecord(tableName, columns),
      // the format of older files, when there was only one table
      columns.transform((jobs) => ({ jobs })),
    ])
    .catch({}),
  sorting: z.partialRecord(tableName, z.object({ column: columnId, descending: z.boolean() })).catch({}),
  wide: z.array(tableName).catch([]),
  scope: z.enum(jobScopes).catch(defaultPreferences.scope),
  wrap: z.boolean().catch(defaultPreferences.wrap),
  stamps: z.boolean().catch(defaultPreferences.timestamps),
  mouse: z.boolean().catch(defaultPreferences.mouse),
  pane: z.boolean().catch(defaultPreferences.pane),
  theme: z.enum(themeNames).nullable().catch(defaultPreferences.theme),
});

/** The saved preferences; the defaults if the file is missing or invalid. */
export async function readPreferences(stateDirectory: string): Promise<Preferences> {
  try {
    const text = await readFile(join(stateDirectory, fileName), 'utf8');
    const { stamps, ...preferences } = preferencesSchema.parse(JSON.parse(text));
    return { ...preferences, timestamps: stamps };
  } catch {
    return defaultPreferences;
  }
}

/** Saves preferences in order. Errors are only logged. */
export function createPreferencesWriter(
  stateDirectory: string,
  log: Log,
): (preferences: Preferences) => Promise<void> {
  const path = join(stateDirectory, fileName);
  let written: Promise<void> = Promise.resolve();
  const write = async ({ timestamps: stamps, ...preferences }: Preferences): Promise<void> => {
    try {
      await replaceFile(path, `${JSON.stringify({ ...preferences, stamps })}\n`);
    } catch (error) {
      log.warn({ why: errorLine(error) }, 'console preferences could not be saved');
    }
  };
  return async (preferences) => {
    written = written.then(async () => write(preferences));
    return written;
  };
}
