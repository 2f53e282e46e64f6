import type { CommandOptions, RunCommand } from '../base/command.js';
import { parseConfigAnswer } from '../slurm/site.js';

/** Settings of `scontrol show config`; null if the controller did not answer. */
export async function readSlurmConfig(
  run: RunCommand,
  options: CommandOptions,
): Promise<ReadonlyMap<string, string> | null> {
  return parseConfigAnswer(await run('scontrol', ['show', 'config'], options));
}
