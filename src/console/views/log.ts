import { count, counted } from '../format.js';
import { logRows, tailEnd } from '../log-window.js';
import { spread } from '../spans.js';
import { selectedRow, type ConsoleState, type LogPane } from '../state.js';
import { cleanText, truncate } from '../text.js';
import { span, type Line, type Span, type Theme } from '../theme.js';
import { rowName, shortRunId } from './jobs.js';

/** The log pane: a heading and `height - 1` rows of the log. */
export function logLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const { log } = state;
  if (log === null || height < 2) return [];
  const lines = [headLine(state, log, theme)];
  const width = state.size.columns - 2;
  if (log.tail === null || log.tail.lines.length === 0) {
    lines.push({ spans: [span(`  ${emptySentence(state, log)}`, 'muted')] });
  } else {
    const frame = { width, height: height - 1, wrap: state.wrap, ellipsis: theme.glyphs.ellipsis };
    for (const { line, text } of logRows(log.tail, log.end, frame).rows) {
      const hit = line === log.hit;
      lines.push({ spans: [hit ? span(`${theme.glyphs.selected}${text}`, 'accent') : span(` ${text}`)] });
    }
  }
  while (lines.length < height) lines.push({ spans: [] });
  return lines;
}

function headLine(state: ConsoleState, log: LogPane, theme: Theme): Line {
  const { glyphs } = theme;
  const row = selectedRow(state);
  const name =
    row === null ? '' : cleanText(`${row.job?.id ?? row.run?.jobId ?? shortRunId(row)} ${rowName(row)}`);
  const tone = log.focused ? 'accent' : 'muted';
  const left = [
    span(`${glyphs.rule}${glyphs.rule} `, tone),
    span('log', log.focused ? 'strong' : 'plain'),
    span(` ${name} `, 'plain'),
  ];
  const right = [
    ...positionSpans(log, theme),
    span(log.search === null ? '' : ` ${glyphs.dot} /${truncate(cleanText(log.search.text), 20)}`, 'accent'),
    span(state.wrap ? ` ${glyphs.dot} wrapped ` : ' ', 'muted'),
    span(glyphs.rule.repeat(2), tone),
  ];
  const line = spread(left, right, state.size.columns + 1, theme);
  // The blank between both sides becomes the rule.
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
  const lost = tail.lost === 0 ? '' : `, ${count(tail.lost)} older dropped`;
  return [
    span(` ${counted(tail.lines.length, 'line')}${lost} ${glyphs.dot} `, 'muted'),
    end === null
      ? span('following', 'good')
      : span(`at ${count(end - tail.lost)} of ${count(tailEnd(tail) - tail.lost)}, f follows`, 'warning'),
  ];
}

function emptySentence(state: ConsoleState, log: LogPane): string {
  const row = selectedRow(state);
  if (row === null) return 'No row is selected.';
  if (log.runId === null) return 'This job is not of this worker: its log is not followed here.';
  if (log.tail === null) return 'Opening the log.';
  return row.group === 'waiting' ? 'No log yet: the job has not started.' : 'The log is empty so far.';
}
