import type { Finding } from '../../check.js';
import { warn } from '../../check-result.js';

/** Whether a command of Slurm failed because PrivateData in slurm.conf hides from this user what it asked for. */
export function isHidden(problem: string): boolean {
  return /permission denied/i.test(problem);
}

/** @param evidence what the command did not show */
export function hiddenFinding(evidence: string): Finding {
  return warn(
    [evidence, 'PrivateData in slurm.conf hides them; jobs can run nevertheless.'],
    'scontrol show config | grep PrivateData   # ask the Slurm administrators for operator rights',
  );
}
