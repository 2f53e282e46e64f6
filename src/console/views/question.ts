import { counted } from '../format.js';
import type { Row } from '../rows.js';
import type { CancelTarget, ConsoleState } from '../state.js';
import { rowStatus } from '../status.js';
import { cleanText, truncate, wrapWords } from '../text.js';
import { span, type Line, type Span, type Theme } from '../theme.js';
import { rowTitle } from './table.js';

/** A question in a box: five lines, without the border. Null where nothing is asked. */
export function questionLines(state: ConsoleState, theme: Theme): Line[] | null {
  switch (state.overlay.kind) {
    case 'cancel':
      return cancelQuestion(state.overlay.target, state.size.columns - 4, theme);
    case 'quit':
      return quitQuestion(state);
    case 'none':
    case 'filter':
    case 'command':
    case 'search':
    case 'help':
      return null;
  }
}

const answers: Line = {
  spans: [span('y', 'accent'), span(' yes'), span('     any other key', 'accent'), span(' no')],
};

function cancelQuestion({ rows }: CancelTarget, width: number, theme: Theme): Line[] {
  return rows.length === 1 ? cancelOne(rows[0], width, theme) : cancelMany(rows, width, theme);
}

/** What will end, by number and by name, as far as there is room. */
function cancelMany(rows: CancelTarget['rows'], width: number, { glyphs }: Theme): Line[] {
  const runs = rows.filter(({ run }) => run !== null).length;
  const parts = [
    ...(runs === 0 ? [] : [counted(runs, 'run')]),
    ...(runs === rows.length
      ? []
      : [counted(rows.length - runs, 'job that is not of this worker', 'jobs that are not of this worker')]),
  ];
  const named = wrapWords(rows.map(rowTitle).join(', '), width);
  const shown = named.slice(0, 3);
  if (named.length > 3)
    shown[2] = `${truncate(shown[2] ?? '', width - 2, glyphs.ellipsis)} ${glyphs.ellipsis}`;
  return [
    { spans: [span(`Cancel ${parts.join(' and ')}?`, 'strong')] },
    ...[0, 1, 2].map((index) => ({ spans: [span(shown[index] ?? '')] })),
    answers,
  ];
}

function cancelOne(row: Row, width: number, theme: Theme): Line[] {
  const { run, job } = row;
  const jobId = job?.id ?? run?.jobId ?? null;
  const what = run === null ? 'Cancel this Slurm job? It is not of this worker.' : 'Cancel this run?';
  const status = rowStatus(row);
  const fact = (label: string, text: string | null | undefined): Span[] => [
    span(label.padEnd(8), 'muted'),
    span(truncate(cleanText(text ?? '') || 'not known', width - 8, theme.glyphs.ellipsis)),
  ];
  // the name of a run's job is the run's id over again, so it says nothing more here
  const ids = [
    jobId === null ? 'no Slurm job yet' : `job ${jobId}`,
    ...(run === null ? [] : [`run ${run.id}`]),
  ];
  const work =
    run === null ? job.name : `${run.cli || 'CLI not known'} of ${run.image || 'an image not known'}`;
  const user = run?.user ?? null;
  return [
    {
      spans: [
        span(what, 'strong'),
        span(`  ${theme.glyphs[status.glyph]} ${cleanText(status.word)}`, status.tone),
      ],
    },
    { spans: fact('Id', ids.join(', ')) },
    { spans: fact('Name', work) },
    {
      spans:
        run === null
          ? fact('User', job.user)
          : fact('Title', [run.title ?? 'not known', ...(user === null ? [] : [`(${user})`])].join(' ')),
    },
    answers,
  ];
}

function quitQuestion({ snapshot: { health } }: ConsoleState): Line[] {
  const { inFlight } = health;
  return [
    {
      spans: [
        span(`Quit? ${counted(inFlight, 'run')} ${inFlight === 1 ? 'is' : 'are'} in flight.`, 'strong'),
      ],
    },
    { spans: [span('Slurm jobs go on; they are taken up at the next start.')] },
    { spans: [span('Until then nobody takes tasks, sends logs to Girder or uploads outputs.', 'muted')] },
    { spans: [] },
    answers,
  ];
}
