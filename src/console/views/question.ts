import { jobIdWithTasks } from '../../slurm/array-rest.js';
import type { RunView } from '../../worker/views/handle.js';
import { count, counted } from './format.js';
import { actionsOf, deedWords } from '../commands/row-actions.js';
import { jobsName } from './executor-labels.js';
import type { Row } from '../state/rows.js';
import { actionRows, type ActionTarget, type ConsoleState } from '../state/state.js';
import { rowStatus } from './row-status.js';
import { cleanText, truncate, truncateMiddle, wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { rowName, shortRunId } from './jobs.js';

/** A question in a box: five lines, without the border. Null where nothing is asked. */
export function questionLines(state: ConsoleState, theme: Theme): Line[] | null {
  const width = state.size.columns - 4;
  switch (state.overlay.kind) {
    case 'confirm':
      return actionQuestion(state.overlay.target, width, theme);
    case 'menu':
      return menuLines(state, width);
    case 'quit':
      return quitQuestion(state);
    case 'quitCancel':
      return cancelAllQuestion(state.overlay.runs, width);
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

/** Four lines of actions, each with its letter, in as many columns as there are needed. */
function menuLines(state: ConsoleState, width: number): Line[] {
  const rows = actionRows(state);
  const [first] = rows;
  const whom = rows.length === 1 && first !== undefined ? labelOf(first) : counted(rows.length, 'row');
  const entries = [...actionsOf(state.snapshot.executor), { key: 'Esc', label: 'nothing' }];
  const columns = Math.ceil(entries.length / 4);
  const cell = Math.min(18, Math.floor(width / columns));
  const lines = [0, 1, 2, 3].map((line) => ({
    spans: entries
      .slice(line * columns, (line + 1) * columns)
      .flatMap(({ key, label }) => [span(key, 'accent'), span(` ${label}`.padEnd(cell - key.length))]),
  }));
  return [{ spans: [span(`What is to be done to ${whom}?`, 'strong')] }, ...lines];
}

function actionQuestion(target: ActionTarget, width: number, theme: Theme): Line[] {
  return target.rows.length === 1 ? aboutOne(target, width, theme) : aboutMany(target, width);
}

/** What is meant, by number and by name, as far as there is room. */
function aboutMany({ deed, rows, left }: ActionTarget, width: number): Line[] {
  const runs = rows.filter(({ run }) => run !== null).length;
  const parts = [
    ...(runs === 0 ? [] : [counted(runs, 'run')]),
    ...(runs === rows.length
      ? []
      : [counted(rows.length - runs, 'job that is not of this worker', 'jobs that are not of this worker')]),
  ];
  const { question, effect } = deedWords(deed);
  const leftOut = left === 0 ? '' : `     ${left === 1 ? '1 row is' : `${count(left)} rows are`} left out`;
  const room = effect === null ? 3 : 2;
  const named = namesIn(rows.map(labelOf), width, room);
  return [
    { spans: [span(question(parts.join(' and ')), 'strong')] },
    ...Array.from({ length: room }, (_, index) => ({ spans: [span(named[index] ?? '')] })),
    ...(effect === null ? [] : [{ spans: [span(effect, 'muted')] }]),
    { spans: [...answers.spans, span(leftOut, 'muted')] },
  ];
}

/** As many names as fit into some lines, and how many more there are. */
function namesIn(names: readonly string[], width: number, lines: number): string[] {
  // no name takes fewer than four cells
  const most = Math.min(names.length, lines * Math.ceil(width / 4));
  for (let shown = most; shown > 1; shown -= 1) {
    const more = names.length - shown;
    const end = more === 0 ? '' : `, and ${count(more)} more`;
    const wrapped = wrapWords(names.slice(0, shown).join(', ') + end, width);
    if (wrapped.length <= lines) return wrapped;
  }
  return wrapWords(names.join(', '), width).slice(0, lines);
}

/** A row by the id that Slurm knows and the title that people know. */
function labelOf(row: Row): string {
  const { run, job } = row;
  const jobId = job?.id ?? run?.jobId ?? null;
  const id = jobId === null ? `run ${shortRunId(row)}` : jobIdWithTasks(jobId);
  return `${cleanText(id)} ${truncateMiddle(cleanText(run?.title ?? rowName(row)), 30)}`.trimEnd();
}

function aboutOne({ deed, rows: [row] }: ActionTarget, width: number, theme: Theme): Line[] {
  const { run, job } = row;
  const jobId = job?.id ?? run?.jobId ?? null;
  const { question, effect } = deedWords(deed);
  const what =
    run === null ? `${question('this Slurm job')} It is not of this worker.` : question('this run');
  const status = rowStatus(row);
  const fact = (label: string, text: string | null | undefined): Line => ({
    spans: [
      span(label.padEnd(8), 'muted'),
      span(truncate(cleanText(text ?? '') || 'not known', width - 8, theme.glyphs.ellipsis)),
    ],
  });
  // the name of a run's job is the run's id over again, so it says nothing more here
  const ids = [
    jobId === null ? 'no job yet' : `job ${jobIdWithTasks(jobId)}`,
    ...(run === null ? [] : [`run ${run.id}`]),
  ];
  const work =
    run === null ? job.name : `${run.cli || 'CLI not known'} of ${run.image || 'an image not known'}`;
  const user = run?.user ?? null;
  const title = [run?.title ?? 'not known', ...(user === null ? [] : [`(${user})`])].join(' ');
  // of a foreign job it matters most whose it is, of a run which slide it is
  const facts = [
    fact('Name', work),
    run === null ? fact('User', job.user) : fact('Title', title),
    ...(effect === null ? [] : [{ spans: [span(effect, 'muted')] }]),
  ];
  return [
    {
      spans: [
        span(what, 'strong'),
        span(`  ${theme.glyphs[status.glyph]} ${cleanText(status.word)}`, status.tone),
      ],
    },
    fact('Id', ids.join(', ')),
    ...facts.slice(-2),
    answers,
  ];
}

function quitQuestion({ snapshot: { executor, health }, readOnly, afterwards }: ConsoleState): Line[] {
  const { inFlight } = health;
  const what = counted(inFlight, 'run');
  const lines: Line[] = [
    { spans: [span(`Quit? ${what} ${inFlight === 1 ? 'is' : 'are'} in flight.`, 'strong')] },
    ...choice('l', `leave: ${jobsName(executor)} go on; until the next start Girder hears nothing`),
    ...choice(
      'k',
      'keep the worker running as a service, without this screen',
      afterwards === 'stopsOrKept' && !readOnly,
    ),
    ...choice(
      'c',
      `cancel ${inFlight === 1 ? 'it' : `all ${count(inFlight)}`}, after another question`,
      !readOnly,
    ),
    { spans: [span('any other key', 'accent'), span('  stay')] },
  ];
  return [...lines, ...Array.from({ length: 5 - lines.length }, () => ({ spans: [] }))];
}

function choice(key: string, text: string, isThere = true): Line[] {
  return isThere ? [{ spans: [span(key, 'accent'), span(`  ${text}`)] }] : [];
}

function cancelAllQuestion(runs: readonly RunView[], width: number): Line[] {
  const names = namesIn(runs.map(nameOf), width, 2);
  return [
    { spans: [span(`Cancel ${counted(runs.length, 'run')} and quit?`, 'strong')] },
    ...[0, 1].map((index) => ({ spans: [span(names[index] ?? '')] })),
    { spans: [span('Their jobs end, Girder is told, and then the console closes.', 'muted')] },
    answers,
  ];
}

function nameOf({ id, jobId, title, cli }: RunView): string {
  const name = truncateMiddle(cleanText(title ?? cli), 30);
  return `${cleanText(jobId ?? `run ${id.slice(0, 8)}`)} ${name}`.trimEnd();
}
