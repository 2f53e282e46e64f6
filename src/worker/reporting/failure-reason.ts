import { stateText } from '../../slurm/states.js';
import type { Executor } from '../executor/executor.js';
import { readLastLines } from '../logs/log-file.js';
import { createProgressTags } from '../logs/progress-tags.js';
import { withoutRuntimeRemarks } from '../logs/runtime-remarks.js';
import type { EndedRun } from '../run-state/run-milestones.js';

/** Number of log lines that the reason of a failure quotes. */
const lastLines = 10;
/** Maximum length of a quoted line. */
export const quotedLength = 500;
/** Separates the reason of a failure from the quoted lines. */
export const lastLinesMark = '\nIts last lines were:\n';

/**
 * Why a job did not succeed, for the owner of the slide: one sentence, the facts that support needs, and the end of the
 * log.
 */
export async function failureReason(
  { jobId, submission, end }: EndedRun,
  { jobNoun, owner }: Pick<Executor, 'jobNoun' | 'owner'>,
): Promise<string> {
  if (end.toldBy === 'nobody') {
    return `It is unknown how the analysis ended: ${end.reason}. It counts as failed, and its outputs were not uploaded.`;
  }
  const facts = [`${jobNoun} ${jobId}`, `state ${stateText(end.state)}`];
  if (end.reason !== '' && end.reason !== 'None') facts.push(`reason ${end.reason}`);
  if (end.exitCode !== null) facts.push(`exit code ${end.exitCode.code}`);
  if (end.exitCode !== null && end.exitCode.signal !== 0) facts.push(`signal ${end.exitCode.signal}`);
  const reason = `${owner.state(end.state)} (${facts.join(', ')})`;
  if (end.outcome === 'canceled') return reason;
  const quoted = withoutMarkup(await readLastLines(submission.logFile, 2 * lastLines))
    .slice(-lastLines)
    .map((line) => `  ${line.slice(0, quotedLength)}`)
    .join('\n');
  return quoted === '' ? reason : `${reason}${lastLinesMark}${quoted}`;
}

function withoutMarkup(lines: readonly string[]): string[] {
  const tags = createProgressTags();
  const { text } = tags.push(withoutRuntimeRemarks(`${lines.join('\n')}\n`));
  return `${text}${tags.end()}`.split('\n').filter((line) => line.trim() !== '');
}
