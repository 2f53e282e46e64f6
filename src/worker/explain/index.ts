import { accessSync, constants, statSync } from 'node:fs';

import type { Settings } from '../../config/schema.js';
import { openSubmitScript } from '../submit-script.js';
import { explainMessage } from './explain.js';
import type { Explanation } from './explanation.js';
import { createMask, type Plain } from './mask.js';
import { readMessageFile } from './message-file.js';

export type { Explanation } from './explanation.js';
export { renderExplanation } from './render.js';

/**
 * Explains a message file with what this host has: the submit script, and whether files are there. Contacts nobody and
 * runs no command.
 * @param options.showSecrets leave tokens and passwords as they are
 * @throws DsaSlurmError `usage` for a text that is no message file, `config` for an unreadable submit script
 */
export async function explainFile(
  text: string,
  options: { settings: Settings; now: number; showSecrets: boolean },
): Promise<Explanation> {
  const { settings, now, showSecrets } = options;
  const delivery = readMessageFile(text);
  const submitScript = await openSubmitScript(settings.slurm.submitScript);
  const told = explainMessage(delivery, { settings, submitScript, now, isReadable });
  if (showSecrets) return told;
  const mask = createMask(delivery.properties.headers, told.decoded);
  return mask(told as unknown as Plain) as unknown as Explanation;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
