import { DsaSlurmError } from '../base/errors.js';
import type { SbatchOption } from './options.js';

/**
 * What the worker and the batch script agree on. The names of the environment stand in templates/singularity.slurm as
 * well.
 */

/**
 * Whether a batch script is one of ours (`# dsa-slurm-script: 1`): takes the container's arguments from a file, makes room
 * for it on the node's disk, and writes an exit record. For the operator's own script everything is on its command line.
 */
export function scriptTakesArgumentsFile(text: string): boolean {
  return /^# dsa-slurm-script: 1\s*$/m.test(text);
}

/**
 * Whether a batch script of ours handles Slurm's warning of the time limit (SIGXCPU, which would end an older one), and does not ask
 * Slurm for another signal.
 */
export function scriptTakesTimeWarning(text: string): boolean {
  return (
    scriptTakesArgumentsFile(text) &&
    /^trap .* XCPU$/m.test(text) &&
    !/^#SBATCH\s(.*\s)?--signal\b/m.test(text)
  );
}

/** The signal that asks a batch script to end its analysis because the run is canceled. */
export type CancelSignal = 'QUIT' | 'TERM';

/**
 * Which signal a batch script takes as the first step of a cancel; null if it is not one of ours. After SIGQUIT the script waits
 * with its exit record written until Slurm cancels the job; an older one only forwards SIGTERM and ends with its analysis.
 */
export function scriptCancelSignal(text: string): CancelSignal | null {
  if (!scriptTakesArgumentsFile(text)) return null;
  return /^trap .* QUIT$/m.test(text) ? 'QUIT' : 'TERM';
}

/** The option of sbatch for that warning, sent to the batch script alone. */
export function timeWarning(seconds: number): SbatchOption {
  return ['signal', `B:XCPU@${seconds}`];
}

/**
 * The file of arguments: each one followed by a NUL. It keeps Girder's tokens out of `scontrol show job` and out of the
 * process list of sbatch, and has no limit of length.
 * @throws DsaSlurmError `usage` if an argument holds a NUL, which no argument of a program can
 */
export function argumentsFileContent(args: readonly string[]): string {
  if (args.some((arg) => arg.includes('\0'))) {
    throw new DsaSlurmError('usage', 'An argument of the container holds a NUL character.');
  }
  return args.map((arg) => `${arg}\0`).join('');
}

/** What the batch script is told through sbatch's environment; `undefined` removes what the worker may have had itself. */
export function batchEnvironment(job: {
  /** The container runtime's command; null leaves the script its own. */
  apptainer: string | null;
  exitRecord: string;
  argumentsFile: string | null;
  /**
   * What the container may write to on the node's disk: `layer` its whole file system, `tmp` its /tmp; null: nothing, or
   * the arguments see to it.
   */
  room?: 'layer' | 'tmp' | null;
  /** Directory of the nodes where that room is; null: $TMPDIR, else /tmp. */
  scratch?: string | null;
  /** Seconds before the time limit at which Slurm sends its warning; null: it sends none. */
  warning?: number | null;
}): Record<string, string | undefined> {
  return {
    DSA_SLURM_APPTAINER: job.apptainer ?? undefined,
    DSA_SLURM_EXIT_RECORD: job.exitRecord,
    DSA_SLURM_ARGUMENTS: job.argumentsFile ?? undefined,
    DSA_SLURM_ROOM: job.room ?? undefined,
    DSA_SLURM_SCRATCH: job.scratch ?? undefined,
    DSA_SLURM_WARNING: job.warning?.toString(),
  };
}
