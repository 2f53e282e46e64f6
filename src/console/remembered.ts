import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorLine } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { tableNames, type ColumnChoices } from './state.js';

/** In the state directory of the profile: how the operator left the console. */
const fileName = 'console.json';

const columnIds = z.array(z.string().max(40)).max(40);
const remembered = z.object({ columns: z.partialRecord(z.enum(tableNames), columnIds) });
/** As it was while there was one table. */
const rememberedOfJobs = z
  .object({ columns: columnIds })
  .transform(({ columns }) => ({ columns: { jobs: columns } }));

/** The columns that were chosen last, by table; none if the file is none of ours. */
export async function readColumns(stateDirectory: string): Promise<ColumnChoices> {
  try {
    const text = await readFile(join(stateDirectory, fileName), 'utf8');
    return z.union([remembered, rememberedOfJobs]).parse(JSON.parse(text)).columns;
  } catch {
    return {};
  }
}

/** Remembers them. A directory that cannot be written costs no more than that. */
export async function saveColumns(stateDirectory: string, columns: ColumnChoices, log: Log): Promise<void> {
  const path = join(stateDirectory, fileName);
  try {
    await writeFile(`${path}.new`, `${JSON.stringify({ columns })}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch (error) {
    log.warn({ why: errorLine(error) }, 'the choice of columns is not remembered');
  }
}
