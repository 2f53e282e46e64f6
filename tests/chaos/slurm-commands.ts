import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const commands = ['sbatch', 'squeue', 'scontrol', 'scancel', 'sacct', 'sinfo'];

/** Wrappers of Slurm's commands, found first in a worker's PATH. */
export interface SlurmCommands {
  /** Comes first in PATH. */
  dir: string;
  /** Every command waits this long before it does anything. */
  slowDown(seconds: number): Promise<void>;
  /** Only sbatch waits, as the real one does while the controller is busy. */
  delaySubmissions(seconds: number): Promise<void>;
  /** sbatch submits the job, then reports that the controller did not answer. */
  loseAnswers(): Promise<void>;
  /** sbatch refuses every job with this message. */
  refuseJobs(message: string): Promise<void>;
  /** Removes all of these faults. */
  restore(): Promise<void>;
}

/** Writes the wrappers. @param path where Slurm's own commands are found */
export async function wrapSlurmCommands(dir: string, path: string): Promise<SlurmCommands> {
  await mkdir(dir, { recursive: true });
  const file = (name: string): string => join(dir, name);
  const [slow, late, lost, refused] = [file('.slow'), file('.late'), file('.lost'), file('.refused')];
  for (const command of commands) {
    const script = [
      '#!/bin/sh',
      `PATH='${path}'`,
      `[ -e '${slow}' ] && sleep "$(cat '${slow}')"`,
      ...(command === 'sbatch'
        ? [
            `if [ -e '${refused}' ]; then`,
            `  cat '${refused}' >&2`,
            '  exit 1',
            'fi',
            `[ -e '${late}' ] && sleep "$(cat '${late}')"`,
            `if [ -e '${lost}' ]; then`,
            '  sbatch "$@" >/dev/null',
            '  echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2',
            '  exit 1',
            'fi',
          ]
        : []),
      `exec ${command} "$@"`,
      '',
    ];
    await writeFile(join(dir, command), script.join('\n'));
    await chmod(join(dir, command), 0o755);
  }
  return {
    dir,
    slowDown: (seconds) => writeFile(slow, String(seconds)),
    delaySubmissions: (seconds) => writeFile(late, String(seconds)),
    loseAnswers: () => writeFile(lost, ''),
    refuseJobs: (message) => writeFile(refused, `${message}\n`),
    async restore() {
      for (const path of [slow, late, lost, refused]) await rm(path, { force: true });
    },
  };
}
