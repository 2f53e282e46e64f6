import { access, constants, readFile } from 'node:fs/promises';

import { DsaSlurmError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import {
  scriptCancelSignal,
  scriptTakesArgumentsFile,
  scriptTakesTimeWarning,
  scriptWritesBeginRecord,
  type CancelSignal,
} from '../../slurm/batch-script.js';

/** The batch script that every job is submitted with. */
export interface SubmitScript {
  path: string;
  /** Whether it reads the container arguments from a file, which hides them from process lists. */
  takesArgumentsFile: boolean;
  /** Whether it passes Slurm's time limit warning on to the analysis. */
  takesTimeWarning: boolean;
  /** Whether it writes a record when the analysis begins. */
  writesBeginRecord: boolean;
  /** The signal for the first step of a cancel; null if the script handles none. */
  cancelSignal: CancelSignal | null;
}

/** Reads the configured submit script, or the bundled one. @throws DsaSlurmError `config` if it cannot be read */
export async function openSubmitScript(configured: string | null): Promise<SubmitScript> {
  const path = configured ?? packageFile('templates/singularity.slurm');
  try {
    await access(path, constants.R_OK);
    const text = await readFile(path, 'utf8');
    return {
      path,
      takesArgumentsFile: scriptTakesArgumentsFile(text),
      takesTimeWarning: scriptTakesTimeWarning(text),
      writesBeginRecord: scriptWritesBeginRecord(text),
      cancelSignal: scriptCancelSignal(text),
    };
  } catch (cause) {
    throw new DsaSlurmError('config', `The submit script ${path} cannot be read.`, {
      next: 'Correct slurm.submitScript (GIRDER_WORKER_SLURM_SUBMIT_SCRIPT), or unset it to use the bundled script.',
      cause,
    });
  }
}
