import { formatAge, formatCount, pluralize } from './format.js';
import { executorName } from './executor-labels.js';
import { countGroups } from '../state/rows.js';
import {
  isTable,
  listedJobs,
  lostWorker,
  pageRow,
  tableNameOf,
  type ConsoleState,
  type Place,
  type TableName,
} from '../state/state.js';
import { justify } from '../terminal/line-layout.js';
import { cleanText } from '../terminal/text.js';
import { span, type Line, type Span, type Theme, type Tone } from '../terminal/theme.js';
import type { TableState } from '../table/table-state.js';
import { rowTitle } from './tables/jobs.js';
import { tableView } from './tables/all-tables.js';

/** ` dsa-slurm › profile › jobs`, and the title of this console. */
export function titleLine(state: ConsoleState, theme: Theme): Line {
  const { glyphs } = theme;
  const crumbs = ['dsa-slurm', state.snapshot.profile, ...breadcrumbs(state)].map(cleanText);
  const left = crumbs.flatMap((crumb, index) => [
    span(index === 0 ? ' ' : ` ${glyphs.crumb} `, 'muted'),
    span(crumb, index === 0 ? 'accent' : index === crumbs.length - 1 ? 'strong' : 'plain'),
  ]);
  const right: Span[] = [];
  if (state.frozen !== null)
    right.push(span(`[frozen for ${formatAge(state.now - state.frozen.since)}] `, 'warning'));
  if (state.title !== null) right.push(span(cleanText(state.title), 'muted'));
  right.push(...linkSpans(state));
  if (state.readOnly) right.push(span(`${right.length === 0 ? '' : ' '}[read-only]`, 'warning'));
  return justify(left, right, state.size.columns, theme);
}

/** Where the worker runs. */
function linkSpans({ snapshot: { link }, now }: ConsoleState): Span[] {
  if (link.kind === 'inside') return [span(' [worker inside]', 'muted')];
  if (link.kind === 'none') return [span(' [no worker]', 'warning')];
  if (link.trouble === null) return [span(` attached to process ${link.pid}`, 'muted')];
  const age = formatAge(now - link.at);
  return [span(link.ended ? ` [worker ended ${age} ago]` : ` [worker not responding for ${age}]`, 'bad')];
}

/** The places that Esc leads back through, each table with its filter. */
function breadcrumbs(state: ConsoleState): string[] {
  const { overlay, log, place, backStack } = state;
  if (overlay.kind === 'help') return ['help'];
  const crumbs = [...backStack, place].map((one) => breadcrumb(one, state));
  return log === null ? crumbs : [...crumbs, 'log'];
}

function breadcrumb(place: Place, state: ConsoleState): string {
  if (isTable(place)) {
    const scope = place.view === 'jobs' ? scopeLabels[state.scope] : '';
    return place.view + scope + filterText(state.tables[place.view]);
  }
  if (place.view === 'worker') return 'worker';
  if (place.view === 'item') return place.id;
  const row = pageRow({ ...state, place });
  return row === null ? place.rowId : rowTitle(row);
}

const scopeLabels: Readonly<Record<ConsoleState['scope'], string>> = {
  mine: '',
  dsa: ' from Girder',
  all: ' of all users',
};

function filterText({ query, errorsOnly }: TableState): string {
  return `${query.text === '' ? '' : ` /${query.text}`}${errorsOnly ? ' (errors only)' : ''}`;
}

/** Broker, intake and runs in flight; number of running and waiting rows. */
export function healthLine(state: ConsoleState, theme: Theme): Line {
  const { snapshot, now, size } = state;
  const { health } = snapshot;
  const gap = span('  ');
  const lost = lostWorker(snapshot);
  const left =
    lost !== null
      ? [
          span(
            ` ${theme.glyphs.failed} ${lost.ended ? 'worker ended' : 'worker not responding'}, process ${lost.pid}`,
            'bad',
          ),
          gap,
          span(`${pluralize(health.inFlight, 'run')} in flight ${formatAge(now - lost.at)} ago`, 'strong'),
        ]
      : snapshot.link.kind === 'none'
        ? [
            span(
              ` ${theme.glyphs.canceled} no worker ${snapshot.link.trouble === null ? 'running' : 'reachable'}`,
              'warning',
            ),
            gap,
            span(`${pluralize(health.inFlight, 'unfinished run')} in its journal`, 'strong'),
          ]
        : [
            span(' '),
            brokerSpan(health.broker, now, theme),
            gap,
            intakeSpan(health, theme),
            gap,
            span(`${formatCount(health.inFlight)}/${formatCount(health.inFlightLimit)} in flight`, 'strong'),
          ];
  const { running, waiting } = countGroups(state.tables.jobs.rows);
  const right = [span(`${formatCount(running)} running  ${formatCount(waiting)} waiting`, 'muted')];
  return justify(left, right, size.columns, theme);
}

type Health = ConsoleState['snapshot']['health'];

function brokerSpan({ state, since }: Health['broker'], now: number, { glyphs }: Theme): Span {
  switch (state) {
    case 'consuming':
      return span(`${glyphs.running} broker consuming`, 'good');
    case 'paused':
      return span(`${glyphs.waiting} broker paused`, 'warning');
    case 'connecting':
      return span(`${glyphs.working} broker connecting`, 'busy');
    case 'disconnected':
      return span(`${glyphs.failed} broker disconnected for ${formatAge(now - since)}`, 'bad');
    case 'closed':
      return span(`${glyphs.canceled} broker closed`, 'warning');
  }
}

function intakeSpan({ intake, drainedAt }: Health, { glyphs }: Theme): Span {
  const styles: Readonly<Record<Health['intake'], [symbol: string, tone: Tone]>> = {
    open: [glyphs.running, 'good'],
    paused: [glyphs.waiting, 'warning'],
    full: [glyphs.warning, 'warning'],
    draining: [glyphs.working, 'warning'],
    blocked: [glyphs.failed, 'bad'],
  };
  const [symbol, tone] = styles[intake];
  const word = intake === 'draining' && drainedAt !== null ? 'drained' : intake;
  return span(`${symbol} intake ${word}`, tone);
}

/** The age of the table's data, with the error if the latest update failed; totals of the table or of finished runs. */
export function ageLine(state: ConsoleState, theme: Theme): Line {
  const { place } = state;
  const name = place.view === 'item' || isTable(place) ? tableNameOf(state) : 'jobs';
  const { totals } = tableView(name);
  return justify(
    [name === 'jobs' ? jobsAgeSpan(state, theme) : ageSpan(name, state, theme)],
    totals?.(state, theme) ?? finishedSpans(state, theme),
    state.size.columns,
    theme,
  );
}

function ageSpan(name: TableName, state: ConsoleState, theme: Theme): Span {
  const { label, age, progress, unlisted } = tableView(name);
  const running = progress?.(state, theme) ?? null;
  if (running !== null) return running;
  const { glyphs } = theme;
  const { at, trouble } = age(state);
  if (at === null) {
    return trouble === null
      ? span(` ${glyphs.waiting} ${label} not loaded yet`, 'muted')
      : span(` ${glyphs.warning} ${label} not loaded: ${cleanText(trouble)}`, 'warning');
  }
  const more = unlisted?.(state) ?? 0;
  const asOf = `${formatAge(state.now - at)} ago${more > 0 ? `, ${formatCount(more)} more not listed` : ''}`;
  return trouble === null
    ? span(` ${glyphs.running} ${label} ${asOf}`, 'good')
    : span(` ${glyphs.warning} ${label} ${asOf}; update failed: ${cleanText(trouble)}`, 'warning');
}

function jobsAgeSpan(state: ConsoleState, { glyphs }: Theme): Span {
  const { now } = state;
  const { at, trouble, lostAt } = listedJobs(state);
  const who = executorName(state.snapshot.executor);
  if (lostAt !== undefined) {
    const status = at === null ? 'jobs unknown' : `jobs as of ${formatAge(now - at)} ago`;
    return span(` ${glyphs.warning} ${status}: ${trouble ?? ''}`, 'warning');
  }
  if (trouble !== null) {
    const status =
      at === null ? `${who} has not answered yet` : `${who} not responding for ${formatAge(now - at)}`;
    return span(` ${glyphs.warning} ${status}: ${cleanText(trouble)}`, 'warning');
  }
  return at === null
    ? span(` ${glyphs.waiting} ${who} has not answered yet`, 'muted')
    : span(` ${glyphs.running} ${who} ${formatAge(now - at)} ago`, 'good');
}

function finishedSpans({ snapshot: { health } }: ConsoleState, { glyphs }: Theme): Span[] {
  const { succeeded, failed, canceled } = health.finished;
  const gap = span('   ');
  return [
    span(`${glyphs.succeeded} ${formatCount(succeeded)} ok`, succeeded > 0 ? 'good' : 'muted'),
    gap,
    span(`${glyphs.failed} ${formatCount(failed)} failed`, failed > 0 ? 'bad' : 'muted'),
    gap,
    span(`${glyphs.canceled} ${formatCount(canceled)} canceled`, 'muted'),
  ];
}

/** Problems with the worker, the broker, Girder or local files: one line each. */
export function warningLines(state: ConsoleState, { glyphs }: Theme): Line[] {
  return warningsOf(state).map((text) => ({
    spans: [span(` ${glyphs.warning} ${cleanText(text)}`, 'warning')],
  }));
}

export function warningsOf({ snapshot, now, canStart }: ConsoleState): string[] {
  const { profile, health, link } = snapshot;
  const start = `${canStart ? 'press u, or: ' : ''}${startCommand(profile)}`;
  const lost = lostWorker(snapshot);
  if (lost !== null && lost.ended) {
    return [
      `Start the worker again: ${start} (until then no task is accepted, and Girder gets no updates; jobs continue)`,
    ];
  }
  // what it reported last about its broker says nothing about now
  if (lost !== null) return [`This data is ${formatAge(now - lost.at)} old. ${lost.trouble} Reconnecting.`];
  const warnings = [
    ...(health.broker.trouble === null ? [] : [`Broker: ${health.broker.trouble}`]),
    ...(health.trouble === null ? [] : [`Worker: ${health.trouble}`]),
  ];
  if (link.kind === 'none' && link.trouble !== null) return [`${link.trouble} Reconnecting.`];
  if (link.kind === 'none') return [`Tasks wait in the queue. Start a worker: ${start}`];
  return warnings;
}

/** The command that starts a worker of this profile. */
export function startCommand(profile: string): string {
  return `dsa-slurm ${profile === 'default' ? '' : `--profile ${profile} `}worker`;
}
