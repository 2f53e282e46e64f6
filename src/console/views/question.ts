import { counted } from '../format.js';
import type { CancelTarget, ConsoleState } from '../state.js';
import { rowStatus } from '../status.js';
import { cleanText, truncate } from '../text.js';
import { span, type Line, type Span, type Theme } from '../theme.js';

/** A question in a box: five lines, without the border. Null where nothing is asked. */
export function questionLines(state: ConsoleState, theme: Theme): Line[] | null {
  switch (state.overlay.kind) {
    case 'cancel':
      return cancelQuestion(state.overlay.target, state.size.columns - 4, theme);
    case 'quit':
      return quitQuestion(state);
    case 'none':
    case 'filter':
    case 'help':
      return null;
  }
}

const answers: Line = {
  spans: [span('y', 'accent'), span(' yes'), span('     any other key', 'accent'), span(' no')],
};

function cancelQuestion({ row, command }: CancelTarget, width: number, theme: Theme): Line[] {
  const { run, job } = row;
  const jobId = job?.id ?? run?.jobId ?? null;
  const what =
    command.kind === 'job' ? 'Cancel this Slurm job? It is not of this worker.' : 'Cancel this run?';
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
