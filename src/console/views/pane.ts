import { formatAge } from '../../base/text/duration.js';
import { usageTexts } from '../../worker/views/usage-text.js';
import { formatDateTime } from './format.js';
import { logRows } from '../state/log-viewport.js';
import { elapsedSeconds, type Row } from '../state/rows.js';
import { listedJobs, logIdOf, tableOf, type ConsoleState, type Size } from '../state/state.js';
import { paneRow } from '../state/layout.js';
import { selectedItem } from '../table/table-state.js';
import { cleanText, wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { currentView } from './tables/all-tables.js';
import { rowName } from './tables/jobs.js';
import { rowStatus } from './tables/row-status.js';
import { factLines, type Fact } from './pages/facts.js';
import { reasonTone, timelineLines } from './pages/job-page.js';

/** Rows that the facts leave to the log. */
const minLogRows = 6;

/** The pane beside the table, which follows the cursor: facts about the selected row, and the last lines of its log. */
export function paneLines(state: ConsoleState, { columns, rows }: Size, theme: Theme): readonly Line[] {
  const row = paneRow(state);
  const seen: ConsoleState = { ...state, size: { columns, rows } };
  if (row !== null) {
    const facts = runLines(row, seen, theme);
    const log = logTail(row, seen, Math.max(minLogRows, rows - facts.length), theme);
    return [...facts.slice(0, rows - log.length), ...log];
  }
  const item = selectedItem(tableOf(state));
  return item === null ? [] : (currentView(state).page?.(item, seen, theme) ?? []);
}

function runLines(row: Row, state: ConsoleState, theme: Theme): Line[] {
  const { run, job } = row;
  const { columns } = state.size;
  const { glyph, word, tone } = rowStatus(row);
  const title = run?.title ?? rowName(row);
  const detail = state.details?.rowId === row.id ? state.details.run : null;
  const elapsed = elapsedSeconds(row, listedJobs(state), state.now);
  const wrapped = (text: string): string[] => wrapWords(cleanText(text), columns - 3);
  const facts: Fact[] = [
    ['CLI', run?.cli],
    ['image', run?.image],
    ['user', run === null ? job.user : run.user],
    ['job', job?.id ?? run?.jobId],
    ['partition', job?.partition],
    ['nodes', job?.nodes],
    ['waits for', run?.finishedAt === null || run === null ? job?.reason : null],
    ['expected start', timeOf(job?.expectedStart ?? null)],
    ['asked for', job === null ? null : askedFor(job)],
    ['elapsed', elapsed === null ? null : `${formatAge(elapsed * 1_000)}${limitOf(job)}`],
    ['message', run?.finishedAt === null ? run.progressMessage : null],
    ['job ended', detail?.end],
    ['Girder job', detail?.girderUrl ?? run?.girderJobId],
    ['canceled by', detail?.canceledBy],
    ['retry of', detail?.retryOf],
    ['retried as', detail?.retriedAs],
  ];
  return [
    ...wrapped(title).map((text): Line => ({ spans: [span(` ${text}`, 'strong')] })),
    { spans: [span(` ${theme.glyphs[glyph]} ${cleanText(word)}`, tone)] },
    ...(run?.reason ?? '')
      .split('\n')
      .flatMap(wrapped)
      .map((text): Line => ({ spans: [span(`   ${text}`, reasonTone(row))] })),
    { spans: [] },
    ...(detail === null ? [] : timelineLines(detail, row, state.now, theme, columns)),
    ...(detail === null ? [] : factLines('Used', usageTexts(detail.usage, detail.requested), columns)),
    ...factLines(run === null ? 'Slurm job' : 'Run', facts, columns),
  ];
}

function timeOf(at: number | null): string | null {
  return at === null ? null : formatDateTime(at);
}

function limitOf(job: Row['job']): string {
  return job === null || job.timeLimit === null ? '' : ` of ${formatAge(job.timeLimit * 1_000)}`;
}

function askedFor({ cpus, memory, gres }: NonNullable<Row['job']>): string {
  return [`${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`, memory, gres].filter(Boolean).join(', ');
}

/** A heading and the last lines of the log. */
function logTail(row: Row, { peek, size }: ConsoleState, height: number, { glyphs }: Theme): Line[] {
  const tail = peek?.logId === logIdOf(row) ? peek.tail : null;
  if (tail === null || tail.lines.length === 0) return [];
  const frame = {
    width: size.columns - 2,
    height: height - 1,
    wrap: false,
    timestamps: false,
    ellipsis: glyphs.ellipsis,
  };
  const lines = logRows(tail, null, frame).rows.map(({ text }): Line => ({ spans: [span(` ${text}`)] }));
  const heading = span(' Log ', 'strong');
  return [{ spans: [heading, span(glyphs.rule.repeat(Math.max(0, size.columns - 6)), 'muted')] }, ...lines];
}
