import { formatAge, formatDuration } from '../../../base/text/duration.js';
import { shellText } from '../../../base/text/shell-text.js';
import type { CommandLine, WorkerDetail } from '../../../worker/views/live-views.js';
import { formatBytes, formatDateTime, formatCount, pluralize } from '../format.js';
import { executorName } from '../executor-labels.js';
import { listedJobs, lostWorker, type ConsoleState } from '../../state/state.js';
import { cleanText, truncate, wrapWords } from '../../terminal/text.js';
import { span, type Line, type Theme } from '../../terminal/theme.js';
import { startCommand } from '../header.js';
import { factLines, type Fact } from './facts.js';
import { sparkline } from '../../terminal/sparkline.js';

const maxCommands = 40;
const maxLoggedErrors = 20;

/** The page about the worker: connections, runs, commands and recent errors. */
export function workerPageLines(state: ConsoleState, theme: Theme): Line[] {
  const { snapshot, now, size, liveViews } = state;
  const { health } = snapshot;
  const detail = liveViews.worker ?? null;
  const { columns } = size;
  if (snapshot.link.kind === 'none') {
    return [
      ...factLines('Worker', noWorkerFacts(snapshot, snapshot.link.problem), columns),
      ...factLines(executorName(snapshot.executor), slurmFacts(state, detail), columns),
      ...(detail === null ? [] : commandLines(detail, now, columns, theme)),
    ];
  }
  return [
    ...factLines('Worker', workerFacts(state, detail), columns),
    ...factLines('Broker', brokerFacts(state, detail), columns),
    ...factLines('Runs', runFacts(state, detail, theme), columns),
    ...factLines(executorName(snapshot.executor), slurmFacts(state, detail), columns),
    ...(detail === null
      ? []
      : [
          ...factLines('Journal', journalFacts(detail, now), columns),
          ...loggedErrorLines(detail, now, columns, theme),
          ...commandLines(detail, now, columns, theme),
        ]),
    ...(detail === null && health.problem === null
      ? [{ spans: [span(' Loading more from the worker.', 'muted')] }]
      : []),
  ];
}

function noWorkerFacts({ profile, health }: ConsoleState['snapshot'], problem: string | null): Fact[] {
  return [
    ['profile', profile],
    ['state', problem ?? 'not running: tasks wait in the queue, Girder gets no updates', 'warning'],
    ['start with', problem === null ? startCommand(profile) : null],
    ['unfinished', `${pluralize(health.inFlight, 'run')} in the journal; the next worker takes them up`],
  ];
}

/** First of all, that the worker is lost: the facts below are what it reported last. */
function lostFacts({ snapshot, canStart, now }: ConsoleState): Fact[] {
  const lost = lostWorker(snapshot);
  if (lost === null) return [];
  const age = formatAge(now - lost.at);
  return lost.ended
    ? [
        ['state', `ended ${age} ago; everything below is what it reported last`, 'bad'],
        ['start with', `${canStart ? 'u, or: ' : ''}${startCommand(snapshot.profile)}`],
      ]
    : [['state', `not responding for ${age}: ${lost.problem}`, 'bad']];
}

function workerFacts(state: ConsoleState, detail: WorkerDetail | null): Fact[] {
  const { profile, health } = state.snapshot;
  const { now } = state;
  return [
    ['profile', profile],
    ...lostFacts(state),
    ['version', detail?.version],
    ['process', detail === null ? null : `${detail.pid} on ${detail.host}`],
    ['started', `${formatDateTime(health.startedAt)}, ${formatAge(now - health.startedAt)} ago`],
    [
      'memory',
      detail === null
        ? null
        : `${formatBytes(detail.memory.rss)}, heap ${formatBytes(detail.memory.heapUsed)}`,
    ],
    ...(detail?.standbys ?? []).map(({ host, pid }): Fact => ['standby', `process ${pid} on ${host}`]),
    ['intake', health.intake],
    ['problem', health.problem, 'warning'],
  ];
}

function brokerFacts({ snapshot: { health }, now }: ConsoleState, detail: WorkerDetail | null): Fact[] {
  const queues = detail?.broker.queues ?? [];
  return [
    ['state', `${health.broker.state}, for ${formatAge(now - health.broker.since)}`],
    ['problem', health.broker.problem, 'warning'],
    ['address', detail?.broker.address],
    ...queues.map(({ queue, ready, consumers }): Fact => [
      'queue',
      `${queue}: ${formatCount(ready)} waiting, ${formatCount(consumers)} ${consumers === 1 ? 'consumer' : 'consumers'}`,
    ]),
    ['queried', detail === null || detail.at === null ? null : `${formatAge(now - detail.at)} ago`],
    ['query error', detail?.problem, 'warning'],
  ];
}

function runFacts(
  { snapshot: { health }, size }: ConsoleState,
  detail: WorkerDetail | null,
  theme: Theme,
): Fact[] {
  const { succeeded, failed, canceled } = health.finished;
  // a narrow terminal shows only the last minutes of the hour
  const room = Math.min(60, Math.max(10, size.columns - 58));
  const rate = (series: readonly number[]): string =>
    `${sparkline(series.slice(-room), theme.glyphs)}  ${formatCount(sum(series))} in the last hour, ${formatCount(sum(series.slice(-5)))} in 5 min`;
  return [
    ['in flight', `${formatCount(health.inFlight)} of at most ${formatCount(health.inFlightLimit)}`],
    ['arrived', detail === null ? null : rate(detail.rates.accepted)],
    ['finished', detail === null ? null : rate(detail.rates.finished)],
    [
      'since the start',
      `${formatCount(succeeded)} succeeded, ${formatCount(failed)} failed, ${formatCount(canceled)} canceled`,
    ],
  ];
}

function slurmFacts(state: ConsoleState, detail: WorkerDetail | null): Fact[] {
  const jobs = listedJobs(state);
  return [
    ['last answer', jobs.at === null ? 'none yet' : `${formatAge(state.now - jobs.at)} ago`],
    ['jobs', formatCount(jobs.rows.length)],
    ['error', jobs.lostAt === undefined ? jobs.problem : null, 'warning'],
    ['commands', detail === null ? null : budgetText(detail.commands, state.snapshot.executor)],
  ];
}

function budgetText(
  { lastMinute, budget }: WorkerDetail['commands'],
  executor: ConsoleState['snapshot']['executor'],
): string {
  const used = `${formatCount(lastMinute)} in the last minute`;
  if (executor === 'local') return used;
  return budget === null
    ? `${used}; the site has no limit`
    : `${used}, ${Math.round((lastMinute / Math.max(1, budget)) * 100)}% of ${formatCount(budget)} allowed by the site`;
}

function journalFacts({ journal }: WorkerDetail, now: number): Fact[] {
  const { path, bytes: size, synced, problem } = journal;
  return [
    ['file', path],
    ['size', formatBytes(size)],
    [
      'last sync',
      synced === null ? 'none yet' : `${formatAge(now - synced.at)} ago, took ${formatDuration(synced.ms)}`,
    ],
    ['error', problem, 'warning'],
  ];
}

function loggedErrorLines({ troubles }: WorkerDetail, now: number, width: number, { glyphs }: Theme): Line[] {
  const heading: Line = { spans: [span(' Last warnings and errors', 'strong')] };
  if (troubles.length === 0) return [heading, { spans: [span('   none', 'muted')] }, { spans: [] }];
  const lines = troubles
    .slice(-maxLoggedErrors)
    .toReversed()
    .flatMap(({ at, level, text, run }): Line[] => {
      const isError = level !== 'warn';
      const message = `${text}${run === null ? '' : ` (run ${run.slice(0, 8)})`}`;
      return wrapWords(cleanText(message), Math.max(20, width - 19)).map((piece, index) => ({
        spans: [
          span(index === 0 ? `   ${paddedAge(now - at)} ` : ' '.repeat(14), 'muted'),
          span(
            index === 0 ? `${isError ? glyphs.failed : glyphs.warning} ` : '  ',
            isError ? 'bad' : 'warning',
          ),
          span(piece),
        ],
      }));
    });
  return [heading, ...lines, { spans: [] }];
}

/** Recent commands, newest first; failed ones with their error output. */
function commandLines({ commands }: WorkerDetail, now: number, width: number, theme: Theme): Line[] {
  const lines = commands.recent.slice(-maxCommands).toReversed();
  return [
    { spans: [span(' Commands', 'strong')] },
    ...(lines.length === 0 ? [{ spans: [span('   none yet', 'muted')] }] : []),
    ...lines.flatMap((command) => commandLine(command, now, width, theme)),
    { spans: [] },
  ];
}

function commandLine(
  { at, file, args, problem, exitCode, ms }: CommandLine,
  now: number,
  width: number,
  { glyphs }: Theme,
): Line[] {
  const status = exitCode === null ? '-' : String(exitCode);
  const text = cleanText(shellText([file, ...args]));
  const first: Line = {
    spans: [
      span(`   ${paddedAge(now - at)} `, 'muted'),
      span(`exit ${status.padStart(3)} `, problem === '' ? 'good' : 'bad'),
      span(`${formatDuration(ms).padStart(8)}  `, 'muted'),
      span(truncate(text, Math.max(10, width - 35), glyphs.ellipsis)),
    ],
  };
  if (problem === '') return [first];
  return [
    first,
    ...wrapWords(cleanText(problem), Math.max(20, width - 19)).map((piece) => ({
      spans: [span(' '.repeat(16)), span(piece, 'warning')],
    })),
  ];
}

/** `12 s ago`, in ten cells. */
function paddedAge(milliseconds: number): string {
  return `${formatAge(milliseconds)} ago`.padStart(10);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
