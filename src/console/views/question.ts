import { jobIdWithTasks } from '../../slurm/array-rest.js';
import type { RunView } from '../../worker/views/handle.js';
import { formatCount, pluralize } from './format.js';
import { actionMessages } from '../commands/row-actions.js';
import { layoutScreen } from '../state/layout.js';
import { menuLines } from './menu.js';
import { executorJobs } from './executor-labels.js';
import type { Row } from '../state/rows.js';
import {
  actionRows,
  isNodePlace,
  targetNodes,
  type ActionTarget,
  type BatchTarget,
  type ConsoleState,
  type NodeTarget,
} from '../state/state.js';
import { batchTitle } from './tables/batches.js';
import { rowStatus } from './tables/row-status.js';
import { cleanText, truncate, truncateMiddle, wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { rowName, shortRunId } from './tables/jobs.js';

/** The lines of a question box without its border; null if there is no question. */
export function questionLines(state: ConsoleState, theme: Theme): Line[] | null {
  const width = state.size.columns - 4;
  switch (state.overlay.kind) {
    case 'confirm':
      if ('batch' in state.overlay.target) return batchQuestion(state.overlay.target, width);
      return 'nodes' in state.overlay.target
        ? nodeQuestion(state.overlay.target, width)
        : actionQuestion(state.overlay.target, width, theme);
    case 'menu':
      return menuLines(state, menuTarget(state), layoutScreen(state).box - 2, width);
    case 'quit':
      return quitQuestion(state);
    case 'quitCancel':
      return cancelAllQuestion(state.overlay.runs, width);
    case 'start':
      return startQuestion(state);
    case 'pause':
      return pauseQuestion(state);
    case 'none':
    case 'filter':
    case 'command':
    case 'search':
    case 'help':
      return null;
  }
}

const yesNoLine: Line = {
  spans: [span('y', 'accent'), span(' yes'), span('     any other key', 'accent'), span(' no')],
};

function menuTarget(state: ConsoleState): string {
  if (isNodePlace(state)) {
    const nodes = targetNodes(state);
    const [node] = nodes;
    return nodes.length === 1 && node !== undefined
      ? `node ${cleanText(node.name)}`
      : pluralize(nodes.length, 'node');
  }
  const rows = actionRows(state);
  const [first] = rows;
  return rows.length === 1 && first !== undefined ? labelOf(first) : pluralize(rows.length, 'row');
}

function actionQuestion(target: ActionTarget, width: number, theme: Theme): Line[] {
  return target.rows.length === 1 ? singleRowQuestion(target, width, theme) : multiRowQuestion(target, width);
}

/** The slides are of one user and analysis, so their number says enough. */
function batchQuestion({ request, batch, runs }: BatchTarget, width: number): Line[] {
  const { question, effect } = actionMessages(request);
  const slides = pluralize(runs.length, request.kind === 'cancel' ? 'unfinished slide' : 'failed slide');
  const fact = (label: string, text: string): Line => ({
    spans: [span(label.padEnd(8), 'muted'), span(truncate(cleanText(text), width - 8, '…'))],
  });
  return [
    { spans: [span(question(slides), 'strong')] },
    fact('Batch', batchTitle(batch)),
    fact('Image', batch.image),
    { spans: [span(effect ?? 'A batch is inferred: inspect its runs first if you are not sure.', 'muted')] },
    yesNoLine,
  ];
}

function nodeQuestion({ change, nodes, skipped }: NodeTarget, width: number): Line[] {
  const isDrain = change.kind === 'drain';
  const [first, ...others] = nodes;
  const target = others.length === 0 ? `node ${cleanText(first.name)}` : pluralize(nodes.length, 'node');
  const fact = (label: string, text: string): Line => ({
    spans: [span(label.padEnd(8), 'muted'), span(truncate(cleanText(text) || 'none', width - 8, '…'))],
  });
  const names = nodes.map(({ name }) => cleanText(name));
  return [
    { spans: [span(`${isDrain ? 'Drain' : 'Resume'} ${target}?`, 'strong')] },
    others.length === 0
      ? fact('State', first.state)
      : fact('Nodes', wrapNames(names, width - 8, 1).join(' ')),
    ...(isDrain || others.length === 0
      ? [fact('Reason', isDrain ? change.reason : first.reason)]
      : [{ spans: [] }]),
    {
      spans: [
        span(
          isDrain
            ? 'Running jobs continue; no other job starts there until it is resumed.'
            : 'Slurm may start jobs there at once.',
          'muted',
        ),
      ],
    },
    {
      spans: [
        ...yesNoLine.spans,
        span(skipped === 0 ? '' : `     skips ${pluralize(skipped, 'node')}`, 'muted'),
      ],
    },
  ];
}

/** Lists as many rows as fit. */
function multiRowQuestion({ request, rows, skipped }: ActionTarget, width: number): Line[] {
  const runs = rows.filter(({ run }) => run !== null).length;
  const parts = [
    ...(runs === 0 ? [] : [pluralize(runs, 'run')]),
    ...(runs === rows.length
      ? []
      : [pluralize(rows.length - runs, 'job not started by this worker', 'jobs not started by this worker')]),
  ];
  const { question, effect } = actionMessages(request);
  const skippedText = skipped === 0 ? '' : `     skips ${pluralize(skipped, 'row')}`;
  const room = effect === null ? 3 : 2;
  const names = wrapNames(rows.map(labelOf), width, room);
  return [
    { spans: [span(question(parts.join(' and ')), 'strong')] },
    ...Array.from({ length: room }, (_, index) => ({ spans: [span(names[index] ?? '')] })),
    ...(effect === null ? [] : [{ spans: [span(effect, 'muted')] }]),
    { spans: [...yesNoLine.spans, span(skippedText, 'muted')] },
  ];
}

/** As many names as fit into `lines` lines, and the number of the others. */
function wrapNames(names: readonly string[], width: number, lines: number): string[] {
  // a name and its separator take at least four cells
  const max = Math.min(names.length, lines * Math.ceil(width / 4));
  for (let shown = max; shown > 1; shown -= 1) {
    const more = names.length - shown;
    const end = more === 0 ? '' : `, and ${formatCount(more)} more`;
    const wrapped = wrapWords(names.slice(0, shown).join(', ') + end, width);
    if (wrapped.length <= lines) return wrapped;
  }
  return wrapWords(names.join(', '), width).slice(0, lines);
}

/** Job id and title. */
function labelOf(row: Row): string {
  const { run, job } = row;
  const jobId = job?.id ?? run?.jobId ?? null;
  const id = jobId === null ? `run ${shortRunId(row)}` : jobIdWithTasks(jobId);
  return `${cleanText(id)} ${truncateMiddle(cleanText(run?.title ?? rowName(row)), 30)}`.trimEnd();
}

function singleRowQuestion({ request, rows: [row] }: ActionTarget, width: number, theme: Theme): Line[] {
  const { run, job } = row;
  const jobId = job?.id ?? run?.jobId ?? null;
  const { question, effect } = actionMessages(request);
  const what =
    run === null ? `${question('this Slurm job')} It was not started by this worker.` : question('this run');
  const status = rowStatus(row);
  const fact = (label: string, text: string | null | undefined): Line => ({
    spans: [
      span(label.padEnd(8), 'muted'),
      span(truncate(cleanText(text ?? '') || 'unknown', width - 8, theme.glyphs.ellipsis)),
    ],
  });
  const ids = [
    jobId === null ? 'no job yet' : `job ${jobIdWithTasks(jobId)}`,
    ...(run === null ? [] : [`run ${run.id}`]),
  ];
  const work = run === null ? job.name : `${run.cli || 'unknown CLI'} of ${run.image || 'an unknown image'}`;
  const user = run?.user ?? null;
  const title = [run?.title ?? 'unknown', ...(user === null ? [] : [`(${user})`])].join(' ');
  // only two facts fit: for a run, the slide (in its title) matters most, for another job its owner
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
    yesNoLine,
  ];
}

function quitQuestion({ snapshot: { executor, health }, readOnly, workerLifetime }: ConsoleState): Line[] {
  const { inFlight } = health;
  const what = pluralize(inFlight, 'run');
  if (inFlight === 0) {
    return [
      { spans: [span('Quit? The last run has ended.', 'strong')] },
      ...choice('l', 'leave'),
      { spans: [span('any other key', 'accent'), span('  stay')] },
      { spans: [] },
      { spans: [] },
    ];
  }
  const lines: Line[] = [
    { spans: [span(`Quit? ${what} ${inFlight === 1 ? 'is' : 'are'} in flight.`, 'strong')] },
    ...choice('l', `leave: ${executorJobs(executor)} continue; no updates to Girder until restart`),
    ...choice(
      'k',
      'keep the worker running as a service, without this screen',
      workerLifetime === 'endsOrDetaches' && !readOnly,
    ),
    ...choice(
      'c',
      `cancel ${inFlight === 1 ? 'it' : `all ${formatCount(inFlight)}`}, after confirmation`,
      !readOnly,
    ),
    { spans: [span('any other key', 'accent'), span('  stay')] },
  ];
  return [...lines, ...Array.from({ length: 5 - lines.length }, () => ({ spans: [] }))];
}

function choice(key: string, text: string, isAvailable = true): Line[] {
  return isAvailable ? [{ spans: [span(key, 'accent'), span(`  ${text}`)] }] : [];
}

function cancelAllQuestion(runs: readonly RunView[], width: number): Line[] {
  const names = wrapNames(runs.map(nameOf), width, 2);
  return [
    { spans: [span(`Cancel ${pluralize(runs.length, 'run')} and quit?`, 'strong')] },
    ...[0, 1].map((index) => ({ spans: [span(names[index] ?? '')] })),
    { spans: [span('Their jobs end, Girder is notified, then the console closes.', 'muted')] },
    yesNoLine,
  ];
}

function startQuestion({ snapshot: { profile } }: ConsoleState): Line[] {
  return [
    { spans: [span(`Start a worker of profile ${cleanText(profile)}?`, 'strong')] },
    { spans: [span('It accepts the tasks that wait in its queue, and takes up unfinished runs.')] },
    { spans: [span('It runs as a service and continues when this console closes.')] },
    { spans: [] },
    yesNoLine,
  ];
}

function pauseQuestion({ snapshot: { health } }: ConsoleState): Line[] {
  const inFlight = pluralize(health.inFlight, 'run');
  return [
    { spans: [span('Accept no more tasks?', 'strong')] },
    { spans: [span('New tasks wait in the queue until the intake is resumed: p again, or :resume.')] },
    { spans: [span(`${inFlight} in flight ${health.inFlight === 1 ? 'continues' : 'continue'}.`)] },
    { spans: [] },
    yesNoLine,
  ];
}

function nameOf({ id, jobId, title, cli }: RunView): string {
  const name = truncateMiddle(cleanText(title ?? cli), 30);
  return `${cleanText(jobId ?? `run ${id.slice(0, 8)}`)} ${name}`.trimEnd();
}
