import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { replaceFile } from '../../base/replace-file.js';
import { noPreferences, type Preferences } from '../state/preferences.js';
import { jobScopes } from '../state/rows.js';
import { tableNames } from '../state/state.js';

/** In the state directory of the profile: how the operator left the console. */
const fileName = 'console.json';

const tableName = z.enum(tableNames);
const columnId = z.string().max(40);
const columns = z.array(columnId).max(40);

/** What another release, or somebody's editor, has made of one part costs that part only. */
const remembered = z.object({
  columns: z
    .union([
      z.partialRecord(tableName, columns),
      // as it was while there was one table
      columns.transform((jobs) => ({ jobs })),
    ])
    .catch({}),
  sorting: z.partialRecord(tableName, z.object({ column: columnId, descending: z.boolean() })).catch({}),
  wide: z.array(tableName).catch([]),
  scope: z.enum(jobScopes).catch(noPreferences.scope),
  wrap: z.boolean().catch(noPreferences.wrap),
  stamps: z.boolean().catch(noPreferences.stamps),
});

/** What was preferred last; nothing if the file is none of ours. */
export async function readPreferences(stateDirectory: string): Promise<Preferences> {
  try {
    return remembered.parse(JSON.parse(await readFile(join(stateDirectory, fileName), 'utf8')));
  } catch {
    return noPreferences;
  }
}

/** Remembers preferences, one after the other. A directory that cannot be written costs no more than that. */
export function createRememberer(
  stateDirectory: string,
  log: Log,
): (preferences: Preferences) => Promise<void> {
  const path = join(stateDirectory, fileName);
  let written: Promise<void> = Promise.resolve();
  const write = async (preferences: Preferences): Promise<void> => {
    try {
      await replaceFile(path, `${JSON.stringify(preferences)}\n`);
    } catch (error) {
      log.warn({ why: errorLine(error) }, 'how the console is preferred is not remembered');
    }
  };
  return async (preferences) => {
    written = written.then(async () => write(preferences));
    return written;
  };
}
