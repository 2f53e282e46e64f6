import { shellText } from '../../base/shell-text.js';
import type { CommandLine, WorkerDetail } from '../../worker/views/live-views.js';
import { age, bytes, clockText, count, counted, took } from './format.js';
import { runnerName } from './executor-labels.js';
import { jobsShown, type ConsoleState } from '../state/state.js';
import { cleanText, truncate, wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { startCommand } from './header.js';
import { factLines, type Fact } from './facts.js';
import { sparkline } from '../terminal/sparkline.js';

/** Commands and troubles that a page shows, newest first. */
const commandsShown = 40;
const troublesShown = 20;

/** How it stands with the worker itself: what it is connected to, what it has in hand, what it asked, what troubles it. */
export function workerPageLines(state: ConsoleState, theme: Theme): Line[] {
  const { snapshot, now, size, watched } = state;
  const { health } = snapshot;
  const detail = watched.worker ?? null;
  const { columns } = size;
  if (snapshot.link.kind === 'none') {
    return [
      ...factLines('Worker', noWorkerFacts(snapshot, snapshot.link.trouble), columns),
      ...factLines(runnerName(snapshot.executor), slurmFacts(state, detail), columns),
      ...(detail === null ? [] : commandLines(detail, now, columns, theme)),
    ];
  }
  return [
    ...factLines('Worker', workerFacts(state, detail), columns),
    ...factLines('Broker', brokerFacts(state, detail), columns),
    ...factLines('Runs', runFacts(state, detail, theme), columns),
    ...factLines(runnerName(snapshot.executor), slurmFacts(state, detail), columns),
    ...(detail === null
      ? []
      : [
          ...factLines('Journal', journalFacts(detail, now), columns),
          ...troubleLines(detail, now, columns, theme),
          ...commandLines(detail, now, columns, theme),
        ]),
    ...(detail === null && health.trouble === null
      ? [{ spans: [span(' Asking the worker for more.', 'muted')] }]
      : []),
  ];
}

function noWorkerFacts({ profile, health }: ConsoleState['snapshot'], trouble: string | null): Fact[] {
  return [
    ['profile', profile],
    ['state', trouble ?? 'none runs: tasks wait in the queue, and Girder hears nothing', 'warning'],
    ['start one', trouble === null ? startCommand(profile) : null],
    ['unfinished', `${counted(health.inFlight, 'run')} in its journal; the next start takes them up`],
  ];
}

function workerFacts(
  { snapshot: { profile, health }, now }: ConsoleState,
  detail: WorkerDetail | null,
): Fact[] {
  return [
    ['profile', profile],
    ['version', detail?.version],
    ['process', detail === null ? null : `${detail.pid} on ${detail.host}`],
    ['started', `${clockText(health.startedAt)}, ${age(now - health.startedAt)} ago`],
    [
      'memory',
      detail === null
        ? null
        : `${bytes(detail.memory.rss)}, of which ${bytes(detail.memory.heapUsed)} are objects`,
    ],
    ...(detail?.standbys ?? []).map(({ host, pid }): Fact => ['standby', `process ${pid} on ${host}`]),
    ['intake', health.intake],
    ['trouble', health.trouble, 'warning'],
  ];
}

function brokerFacts({ snapshot: { health }, now }: ConsoleState, detail: WorkerDetail | null): Fact[] {
  const queues = detail?.broker.queues ?? [];
  return [
    ['state', `${health.broker.state}, for ${age(now - health.broker.since)}`],
    ['trouble', health.broker.trouble, 'warning'],
    ['address', detail?.broker.address],
    ...queues.map(({ queue, ready, consumers }): Fact => [
      'queue',
      `${queue}: ${count(ready)} waiting, ${count(consumers)} ${consumers === 1 ? 'consumer' : 'consumers'}`,
    ]),
    ['asked', detail === null || detail.at === null ? null : `${age(now - detail.at)} ago`],
    ['no answer', detail?.trouble, 'warning'],
  ];
}

function runFacts(
  { snapshot: { health }, size }: ConsoleState,
  detail: WorkerDetail | null,
  theme: Theme,
): Fact[] {
  const { succeeded, failed, canceled } = health.finished;
  // with its words on one line: the last minutes of the hour, on a wide terminal all
  const room = Math.min(60, Math.max(10, size.columns - 58));
  const rate = (series: readonly number[]): string =>
    `${sparkline(series.slice(-room), theme.glyphs)}  ${count(sum(series))} in the last hour, ${count(sum(series.slice(-5)))} in 5 min`;
  return [
    ['in flight', `${count(health.inFlight)} of at most ${count(health.inFlightLimit)}`],
    ['arrived', detail === null ? null : rate(detail.rates.accepted)],
    ['finished', detail === null ? null : rate(detail.rates.finished)],
    [
      'since the start',
      `${count(succeeded)} succeeded, ${count(failed)} failed, ${count(canceled)} canceled`,
    ],
  ];
}

function slurmFacts(state: ConsoleState, detail: WorkerDetail | null): Fact[] {
  const jobs = jobsShown(state);
  return [
    ['last answer', jobs.at === null ? 'none yet' : `${age(state.now - jobs.at)} ago`],
    ['jobs in it', count(jobs.rows.length)],
    ['trouble', jobs.trouble, 'warning'],
    ['commands', detail === null ? null : budgetText(detail.commands, state.snapshot.executor)],
  ];
}

function budgetText(
  { lastMinute, budget }: WorkerDetail['commands'],
  executor: ConsoleState['snapshot']['executor'],
): string {
  const used = `${count(lastMinute)} in the last minute`;
  if (executor === 'local') return used;
  return budget === null
    ? `${used}; the site says no limit`
    : `${used}, ${Math.round((lastMinute / Math.max(1, budget)) * 100)}% of the ${count(budget)} that the site allows`;
}

function journalFacts({ journal }: WorkerDetail, now: number): Fact[] {
  const { path, bytes: size, synced, trouble } = journal;
  return [
    ['file', path],
    ['size', bytes(size)],
    ['last sync', synced === null ? 'none yet' : `${age(now - synced.at)} ago, took ${took(synced.ms)}`],
    ['trouble', trouble, 'warning'],
  ];
}

function troubleLines({ troubles }: WorkerDetail, now: number, width: number, { glyphs }: Theme): Line[] {
  const heading: Line = { spans: [span(' Last warnings and errors', 'strong')] };
  if (troubles.length === 0) return [heading, { spans: [span('   none', 'muted')] }, { spans: [] }];
  const lines = troubles
    .slice(-troublesShown)
    .toReversed()
    .flatMap(({ at, level, text, run }): Line[] => {
      const bad = level !== 'warn';
      const said = `${text}${run === null ? '' : ` (run ${run.slice(0, 8)})`}`;
      return wrapWords(cleanText(said), Math.max(20, width - 19)).map((piece, index) => ({
        spans: [
          span(index === 0 ? `   ${ago(now - at)} ` : ' '.repeat(14), 'muted'),
          span(index === 0 ? `${bad ? glyphs.failed : glyphs.warning} ` : '  ', bad ? 'bad' : 'warning'),
          span(piece),
        ],
      }));
    });
  return [heading, ...lines, { spans: [] }];
}

/** What was run lately, newest first: when, how it ended, how long it took, and the whole line of what failed. */
function commandLines({ commands }: WorkerDetail, now: number, width: number, theme: Theme): Line[] {
  const lines = commands.recent.slice(-commandsShown).toReversed();
  return [
    { spans: [span(' Commands', 'strong')] },
    ...(lines.length === 0 ? [{ spans: [span('   none yet', 'muted')] }] : []),
    ...lines.flatMap((command) => commandLine(command, now, width, theme)),
    { spans: [] },
  ];
}

function commandLine(
  { at, file, args, trouble, exitCode, ms }: CommandLine,
  now: number,
  width: number,
  { glyphs }: Theme,
): Line[] {
  const ended = exitCode === null ? '-' : String(exitCode);
  const text = cleanText(shellText([file, ...args]));
  const first: Line = {
    spans: [
      span(`   ${ago(now - at)} `, 'muted'),
      span(`exit ${ended.padStart(3)} `, trouble === '' ? 'good' : 'bad'),
      span(`${took(ms).padStart(8)}  `, 'muted'),
      span(truncate(text, Math.max(10, width - 35), glyphs.ellipsis)),
    ],
  };
  if (trouble === '') return [first];
  return [
    first,
    ...wrapWords(cleanText(trouble), Math.max(20, width - 19)).map((piece) => ({
      spans: [span(' '.repeat(16)), span(piece, 'warning')],
    })),
  ];
}

/** `12 s ago`, in ten cells. */
function ago(milliseconds: number): string {
  return `${age(milliseconds)} ago`.padStart(10);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
