import { DsaSlurmError } from '../base/errors.js';
import type { SbatchOption } from './options.js';

/**
 * The interface between the worker and its batch script. templates/singularity.slurm uses the same environment variables.
 */

/**
 * Whether a batch script is dsa-slurm's own (`# dsa-slurm-script: 1`): it reads the container's arguments from a file, provides
 * scratch space on the node's disk and writes an exit record. An operator's own script gets everything on its command line.
 */
export function scriptTakesArgumentsFile(text: string): boolean {
  return /^# dsa-slurm-script: 1\s*$/m.test(text);
}

/**
 * Whether a dsa-slurm batch script handles Slurm's time limit warning (SIGXCPU, which would kill an older version) and does not
 * request another signal from Slurm.
 */
export function scriptTakesTimeWarning(text: string): boolean {
  return (
    scriptTakesArgumentsFile(text) &&
    /^trap .* XCPU$/m.test(text) &&
    !/^#SBATCH\s(.*\s)?--signal\b/m.test(text)
  );
}

/** Whether a batch script writes a record when the analysis begins. */
export function scriptWritesBeginRecord(text: string): boolean {
  return scriptTakesArgumentsFile(text) && /^write_begin_record$/m.test(text);
}

/** The signal that makes a batch script stop its analysis because the run was canceled. */
export type CancelSignal = 'QUIT' | 'TERM';

/**
 * The signal that a batch script expects as the first step of a cancel; null if it is not dsa-slurm's own. After SIGQUIT the
 * script writes its exit record and waits until Slurm cancels the job; an older version forwards SIGTERM and ends with its analysis.
 */
export function scriptCancelSignal(text: string): CancelSignal | null {
  if (!scriptTakesArgumentsFile(text)) return null;
  return /^trap .* QUIT$/m.test(text) ? 'QUIT' : 'TERM';
}

/** The sbatch option that requests the time limit warning, sent to the batch script only. */
export function timeWarning(seconds: number): SbatchOption {
  return ['signal', `B:XCPU@${seconds}`];
}

/**
 * Content of the arguments file: each argument followed by a NUL. The file keeps Girder's tokens out of `scontrol show job`
 * and of sbatch's command line, and has no length limit.
 * @throws DsaSlurmError `usage` if an argument contains a NUL
 */
export function argumentsFileContent(args: readonly string[]): string {
  if (args.some((arg) => arg.includes('\0'))) {
    throw new DsaSlurmError('usage', 'A container argument contains a NUL character.');
  }
  return args.map((arg) => `${arg}\0`).join('');
}

/** The batch script's parameters, passed in sbatch's environment; `undefined` unsets a variable that the worker itself inherited. */
export function batchEnvironment(job: {
  /** Command of the container runtime; null: the script's default. */
  apptainer: string | null;
  exitRecord: string;
  argumentsFile: string | null;
  /**
   * What the container can write to on the node's disk: `layer` its whole file system, `tmp` its /tmp; null: nothing, or
   * the container arguments provide it.
   */
  room?: 'layer' | 'tmp' | null;
  /** Parent directory of that scratch space on the node; null: $TMPDIR, else /tmp. */
  scratch?: string | null;
  /** Seconds before the time limit at which Slurm sends its warning; null: no warning. */
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
