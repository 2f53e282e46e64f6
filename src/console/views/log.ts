import { bytes, count, counted } from './format.js';
import { logRows, tailEnd } from '../state/log-viewport.js';
import { spread } from '../terminal/line-layout.js';
import { selectedRow, type ConsoleState, type LogPane } from '../state/state.js';
import { cleanText, truncate, wrapWords } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import { rowName, shortRunId } from './jobs.js';

/** The log pane: a heading and `height - 1` rows of the log. */
export function logLines(state: ConsoleState, height: number, theme: Theme): Line[] {
  const { log } = state;
  if (log === null || height < 2) return [];
  const lines = [headLine(state, log, theme)];
  const width = state.size.columns - 2;
  if (log.tail === null || log.tail.lines.length === 0) {
    for (const text of wrapWords(emptySentence(state, log), width - 1).slice(0, height - 1))
      lines.push({ spans: [span(`  ${text}`, 'muted')] });
  } else {
    const { wrap, stamps } = state;
    const frame = { width, height: height - 1, wrap, stamps, ellipsis: theme.glyphs.ellipsis };
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
  const { lines, lost, file } = tail;
  // only the end of a large log is held; o shows the whole
  const older = lost > 0 || (file?.from ?? 0) > 0;
  const held = older ? `the last ${counted(lines.length, 'line')}` : counted(lines.length, 'line');
  const size = file === undefined || file.bytes === 0 ? '' : `${older ? ' of' : ','} ${bytes(file.bytes)}`;
  return [
    ...(lines.length > 0 && file?.isMissing === true ? [span(' deleted meanwhile', 'warning')] : []),
    ...(file?.trouble ? [span(` ${cleanText(file.trouble)}`, 'warning')] : []),
    span(` ${held}${size} ${glyphs.dot} `, 'muted'),
    end === null
      ? span('following', 'good')
      : span(`at ${count(end - tail.lost)} of ${count(tailEnd(tail) - tail.lost)}, f follows`, 'warning'),
  ];
}

/** Not there yet, not there any more, not to be read, and nothing in it are different things. */
function emptySentence(state: ConsoleState, { tail }: LogPane): string {
  const row = selectedRow(state);
  if (row === null) return 'No row is selected.';
  if (tail === null) return 'Opening the log.';
  const { file } = tail;
  const isOver = row.group === 'finished';
  if (file?.trouble) return cleanText(file.trouble);
  if (file?.path === null && row.run === null) return 'Slurm is being asked where its output goes.';
  if (file?.path === null)
    return isOver ? 'This run has no log: it ended before it got a job.' : 'No log yet: there is no job yet.';
  if (file?.isMissing === true) {
    const path = cleanText(file.path ?? '');
    if (!isOver) return `No log yet: the job has not begun to write ${path}.`;
    return row.run?.outcome === 'succeeded'
      ? 'The log is gone: it is deleted once its run has succeeded. The page of its Girder job has it.'
      : `The log ${path} is not there: nothing was written, or somebody has deleted it.`;
  }
  return isOver ? 'The log is empty: nothing was written.' : 'The log is empty so far.';
}
