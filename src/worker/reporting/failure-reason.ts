import { stateText } from '../../slurm/states.js';
import type { Executor } from '../executor/executor.js';
import { readLastLines } from '../logs/log-file.js';
import { createProgressTags } from '../logs/progress-tags.js';
import { withoutRuntimeRemarks } from '../logs/runtime-remarks.js';
import type { JobEnd, Run } from '../run-state/run.js';

/** Lines of the job's log that are repeated in the reason of a failure. */
const lastLines = 10;
/** Characters of one of them. */
export const quotedLength = 500;
/** Between why a run failed and the last lines of its log. */
export const lastLinesMark = '\nIts last lines were:\n';

/**
 * Why a job that did not succeed ended, in words for the slide's owner: a sentence, then the facts that somebody who
 * can help will ask for, then the end of the log.
 */
export async function failureReason(
  { jobId, submission }: Run,
  end: JobEnd,
  { jobNoun, owner }: Pick<Executor, 'jobNoun' | 'owner'>,
): Promise<string> {
  const job = `${jobNoun} ${jobId ?? '?'}`;
  if (end.toldBy === 'nobody') {
    return `Nobody can tell how the analysis ended: ${end.reason}. It counts as failed; its outputs were not taken.`;
  }
  const facts = [job, `state ${stateText(end.state)}`];
  if (end.reason !== '' && end.reason !== 'None') facts.push(`reason ${end.reason}`);
  if (end.exitCode !== null) facts.push(`exit code ${end.exitCode.code}`);
  if (end.exitCode !== null && end.exitCode.signal !== 0) facts.push(`signal ${end.exitCode.signal}`);
  const reason = `${owner.state(end.state)} (${facts.join(', ')})`;
  if (end.outcome === 'canceled' || submission === null) return reason;
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
