import type { CommandOptions, RunCommand } from '../base/command.js';

/** Settings of `scontrol show config`; null if the controller did not answer. */
export async function readSlurmConfig(
  run: RunCommand,
  options: CommandOptions,
): Promise<ReadonlyMap<string, string> | null> {
  const result = await run('scontrol', ['show', 'config'], options);
  if (result.kind !== 'exited' || result.exitCode !== 0) return null;
  return new Map(
    result.stdout.split('\n').flatMap((line) => {
      const match = /^(\w+)\s*=\s*(.*?)\s*$/.exec(line);
      return match?.[1] === undefined ? [] : [[match[1], match[2] ?? ''] as const];
    }),
  );
}
