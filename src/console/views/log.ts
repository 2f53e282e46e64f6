import { formatBytes, formatCount, pluralize } from './format.js';
import { logRows, tailEnd } from '../state/log-viewport.js';
import { justify } from '../terminal/line-layout.js';
import { selectedRow, type ConsoleState, type LogPane } from '../state/state.js';
import { cleanText, truncate, wrapWords } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import { rowName, shortRunId } from './tables/jobs.js';

/** The log pane: a heading and `height - 1` rows. */
export function logLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const { log } = state;
  if (log === null || height < 2) return [];
  const lines = [headingLine(state, log, theme)];
  const width = state.size.columns - 2;
  if (log.tail === null || log.tail.lines.length === 0) {
    for (const text of wrapWords(emptyReason(state, log), width - 1).slice(0, height - 1))
      lines.push({ spans: [span(`  ${text}`, 'muted')] });
  } else {
    const { wrap, timestamps } = state;
    const frame = { width, height: height - 1, wrap, timestamps, ellipsis: theme.glyphs.ellipsis };
    for (const { line, text } of logRows(log.tail, log.end, frame).rows) {
      const hit = line === log.hit;
      lines.push({ spans: [hit ? span(`${theme.glyphs.selected}${text}`, 'accent') : span(` ${text}`)] });
    }
  }
  while (lines.length < height) lines.push({ spans: [] });
  return lines;
}

function headingLine(state: ConsoleState, log: LogPane, theme: Theme): Line {
  const { glyphs } = theme;
  const row = selectedRow(state);
  const name =
    row === null ? '' : cleanText(`${row.job?.id ?? row.run?.jobId ?? shortRunId(row)} ${rowName(row)}`);
  const tone = log.focused ? 'accent' : 'muted';
  const left = [
    span(`${glyphs.rule}${glyphs.rule} `, tone),
    span(log.isStderr ? 'stderr' : 'log', log.focused ? 'strong' : 'plain'),
    span(name === '' ? ' ' : ` ${name} `, 'plain'),
  ];
  const position = positionSpans(log, theme);
  const isPlain = position.length === 0 && log.search === null && !state.wrap;
  const right = [
    ...position,
    span(log.search === null ? '' : ` ${glyphs.dot} /${truncate(cleanText(log.search.text), 20)}`, 'accent'),
    span(state.wrap ? ` ${glyphs.dot} wrapped ` : isPlain ? '' : ' ', 'muted'),
    span(glyphs.rule.repeat(2), tone),
  ];
  const line = justify(left, right, state.size.columns + 1, theme);
  // the gap between both sides becomes part of the rule
  return {
    spans: line.spans.map((one) =>
      one.text.length > 0 && one.text.trim() === '' && one.tone === 'plain'
        ? span(glyphs.rule.repeat(one.text.length), tone)
        : one,
    ),
  };
}

function positionSpans({ tail, end }: LogPane, { glyphs }: Theme): Span[] {
  if (tail === null) return [];
  const { lines, lost, file } = tail;
  // only the end of a large log is loaded; the pager shows all of it
  const isPartial = lost > 0 || (file?.from ?? 0) > 0;
  const loaded = isPartial ? `the last ${pluralize(lines.length, 'line')}` : pluralize(lines.length, 'line');
  const size =
    file === undefined || file.bytes === 0 ? '' : `${isPartial ? ' of' : ','} ${formatBytes(file.bytes)}`;
  return [
    ...(lines.length > 0 && file?.isMissing === true ? [span(' file deleted', 'warning')] : []),
    // without lines, the pane below says it
    ...(lines.length > 0 && file?.problem ? [span(` ${cleanText(file.problem)}`, 'warning')] : []),
    span(` ${loaded}${size} ${glyphs.dot} `, 'muted'),
    end === null
      ? span('following', 'good')
      : span(
          `at ${formatCount(end - tail.lost)} of ${formatCount(tailEnd(tail) - tail.lost)}, press f to follow`,
          'warning',
        ),
  ];
}

/** Distinguishes a log that does not exist yet, was deleted, cannot be read, or is empty. */
function emptyReason(state: ConsoleState, { tail, logId, isStderr }: LogPane): string {
  const row = selectedRow(state);
  if (row === null) return 'No row is selected.';
  if (logId === null) return 'There is no job yet.';
  if (tail === null) return 'Opening the log.';
  const { file } = tail;
  const isFinished = row.group === 'finished';
  if (file?.problem) return cleanText(file.problem);
  if (file?.path === null && (row.run === null || isStderr))
    return 'Asking Slurm for the path of the output.';
  if (file?.path === null) {
    return isFinished ? 'No log: the run ended before it got a job.' : 'No log yet: the run has no job yet.';
  }
  if (file?.isMissing === true) {
    const path = cleanText(file.path ?? '');
    if (!isFinished) return `No log yet: the job has not written to ${path}.`;
    return row.run?.outcome === 'succeeded'
      ? 'The log was deleted after the run succeeded. Its Girder job has a copy.'
      : `The log ${path} does not exist: nothing was written, or it was deleted.`;
  }
  return isFinished ? 'The log is empty.' : 'The log is empty so far.';
}
