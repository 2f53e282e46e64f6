import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';

/** Statistics of the controller as sdiag groups them. */
export interface SchedulerSection {
  title: string;
  /** Labels and values as Slurm prints them; a line without a label has an empty one. */
  facts: readonly (readonly [label: string, value: string])[];
}

export type SchedulerAnswer =
  | { kind: 'answer'; sections: SchedulerSection[] }
  /** Slurm's refusal, or why it did not answer. */
  | { kind: 'silence'; why: string };

/** Lines that are read; a controller has some hundred kinds of requests, and may list as many users. */
const maxLines = 1_000;

/** Queries the statistics of the controller. Never throws. */
export async function querySchedulerStatistics(
  run: RunCommand,
  options: CommandOptions = {},
): Promise<SchedulerAnswer> {
  const result = await run('sdiag', [], options);
  if (result.kind !== 'exited' || result.exitCode !== 0) {
    return { kind: 'silence', why: `sdiag ${describeFailure(result)}` };
  }
  const sections = parseSdiag(result.stdout);
  return sections.length === 0
    ? { kind: 'silence', why: 'the output of sdiag could not be parsed' }
    : { kind: 'answer', sections };
}

/**
 * Parses what sdiag prints (`_print_stats()` of Slurm's `sdiag`): values of the controller at the beginning of a line, and
 * sections whose lines begin with a tab.
 */
export function parseSdiag(text: string): SchedulerSection[] {
  const controller: [string, string][] = [];
  const sections: { title: string; facts: [string, string][] }[] = [
    { title: 'Controller', facts: controller },
  ];
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\*+$/.test(line.trim()));
  for (const [index, line] of lines.slice(0, maxLines).entries()) {
    const bare = line.trim();
    if (line.startsWith('\t')) sections.at(-1)?.facts.push(factOf(bare));
    else if (lines[index + 1]?.startsWith('\t') === true) {
      sections.push({ title: bare.replace(/:$/, ''), facts: [] });
    } else {
      const since = /^(sdiag output at|Data since)\s+(.*)$/.exec(bare);
      if (since !== null) controller.push([since[1] ?? '', since[2] ?? '']);
      else if (bare.includes(':')) controller.push(factOf(bare));
    }
  }
  return sections.filter(({ facts }) => facts.length > 0);
}

/** `Last cycle: 120`, or `REQUEST_JOB_INFO ( 2003) count:7 ave_time:…` */
function factOf(line: string): [string, string] {
  const counted = /^(\S+)\s*\(\s*\d+\)\s+(count:.*)$/.exec(line);
  if (counted !== null) return [counted[1] ?? '', (counted[2] ?? '').replaceAll(/\s+/g, ' ')];
  const [, label, value] = /^([^:]+):(?:\s+(.*))?$/.exec(line) ?? [];
  return label === undefined ? ['', line] : [label, value ?? ''];
}
