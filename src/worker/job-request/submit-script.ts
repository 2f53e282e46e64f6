import { access, constants, readFile } from 'node:fs/promises';

import { DsaSlurmError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import {
  scriptCancelSignal,
  scriptTakesArgumentsFile,
  scriptTakesTimeWarning,
  type CancelSignal,
} from '../../slurm/batch-script.js';

/** The batch script that every job is submitted with. */
export interface SubmitScript {
  path: string;
  /** It is one of ours and can take container arguments from a file, where they are not seen in a process list. */
  takesArgumentsFile: boolean;
  /** It passes Slurm's warning of the time limit on to the analysis. */
  takesTimeWarning: boolean;
  /** The first step of a cancel; null: the script passes no signal on. */
  cancelSignal: CancelSignal | null;
}

/** Finds the submit script: the operator's, or the one that comes with the program. */
export async function openSubmitScript(configured: string | null): Promise<SubmitScript> {
  const path = configured ?? packageFile('templates/singularity.slurm');
  try {
    await access(path, constants.R_OK);
    const text = await readFile(path, 'utf8');
    return {
      path,
      takesArgumentsFile: scriptTakesArgumentsFile(text),
      takesTimeWarning: scriptTakesTimeWarning(text),
      cancelSignal: scriptCancelSignal(text),
    };
  } catch (cause) {
    throw new DsaSlurmError('config', `The submit script ${path} cannot be read.`, {
      next: "Correct slurm.submitScript (GIRDER_WORKER_SLURM_SUBMIT_SCRIPT), or unset it to use this program's own.",
      cause,
    });
  }
}
