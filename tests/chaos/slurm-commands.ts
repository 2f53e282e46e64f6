import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const commands = ['sbatch', 'squeue', 'scontrol', 'scancel', 'sacct', 'sinfo'];

/** Programs that stand in a worker's PATH before Slurm's own. */
export interface SlurmCommands {
  /** Comes first in PATH. */
  dir: string;
  /** Every command waits so long before it does anything. */
  slowDown(seconds: number): Promise<void>;
  /** sbatch alone does, as it does by itself while the controller is full. */
  delaySubmissions(seconds: number): Promise<void>;
  /** sbatch does its work, and then says that the controller did not answer. */
  loseAnswers(): Promise<void>;
  /** sbatch refuses every job in these words. */
  refuseJobs(words: string): Promise<void>;
  mend(): Promise<void>;
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
    refuseJobs: (words) => writeFile(refused, `${words}\n`),
    async mend() {
      for (const path of [slow, late, lost, refused]) await rm(path, { force: true });
    },
  };
}
