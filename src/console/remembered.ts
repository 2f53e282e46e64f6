import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { ChosenColumns } from './table/column.js';

/** In the state directory of the profile: how the operator left the console. */
const fileName = 'console.json';

const remembered = z.object({ columns: z.array(z.string().max(40)).max(40).nullable() });

/** The columns that were chosen last; null if none were, or if the file is none of ours. */
export async function readColumns(stateDirectory: string): Promise<ChosenColumns> {
  try {
    return remembered.parse(JSON.parse(await readFile(join(stateDirectory, fileName), 'utf8'))).columns;
  } catch {
    return null;
  }
}

/** Remembers them. A directory that cannot be written costs no more than that. */
export async function saveColumns(stateDirectory: string, columns: ChosenColumns, log: Log): Promise<void> {
  const path = join(stateDirectory, fileName);
  try {
    await writeFile(`${path}.new`, `${JSON.stringify({ columns })}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch (error) {
    log.warn({ why: errorLine(error) }, 'the choice of columns is not remembered');
  }
}
