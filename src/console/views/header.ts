import { age, count, counted } from './format.js';
import { runnerName } from './executor-labels.js';
import { countGroups } from '../state/rows.js';
import {
  allRows,
  isTable,
  jobsShown,
  pageRow,
  tableNameOf,
  type ConsoleState,
  type Place,
  type TableName,
} from '../state/state.js';
import { spread } from '../terminal/line-layout.js';
import { cleanText } from '../terminal/text.js';
import { span, type Line, type Span, type Theme, type Tone } from '../terminal/theme.js';
import type { TableState } from '../table/table-state.js';
import { rowTitle } from './jobs.js';
import { tableViews } from './tables.js';

/** ` dsa-slurm › profile › jobs`, and what is special about this console. */
export function titleLine(state: ConsoleState, theme: Theme): Line {
  const { glyphs } = theme;
  const crumbs = ['dsa-slurm', state.snapshot.profile, ...crumbsOf(state)].map(cleanText);
  const left = crumbs.flatMap((crumb, index) => [
    span(index === 0 ? ' ' : ` ${glyphs.crumb} `, 'muted'),
    span(crumb, index === 0 ? 'accent' : index === crumbs.length - 1 ? 'strong' : 'plain'),
  ]);
  const right: Span[] = [];
  if (state.frozen !== null)
    right.push(span(`[frozen for ${age(state.now - state.frozen.since)}] `, 'warning'));
  if (state.title !== null) right.push(span(cleanText(state.title), 'muted'));
  right.push(...linkSpans(state));
  if (state.readOnly) right.push(span(`${right.length === 0 ? '' : ' '}[read-only]`, 'warning'));
  return spread(left, right, state.size.columns, theme);
}

/** Where the worker is, unless it is in this process. */
function linkSpans({ snapshot: { link }, now }: ConsoleState): Span[] {
  if (link.kind === 'inside') return [];
  if (link.kind === 'none') return [span(' [no worker]', 'warning')];
  return link.trouble === null
    ? [span(` attached to process ${link.pid}`, 'muted')]
    : [span(` [worker gone for ${age(now - link.at)}]`, 'bad')];
}

/** Where the operator is: the places that Esc leads back through, each table with what keeps rows from view. */
function crumbsOf(state: ConsoleState): string[] {
  const { overlay, log, place, trail } = state;
  if (overlay.kind === 'help') return ['help'];
  const crumbs = [...trail, place].map((one) => crumbOf(one, state));
  return log === null ? crumbs : [...crumbs, 'log'];
}

function crumbOf(place: Place, state: ConsoleState): string {
  if (isTable(place)) {
    const whose = place.view === 'jobs' ? whoseJobs[state.scope] : '';
    return place.view + whose + restriction(state.tables[place.view]);
  }
  if (place.view === 'worker') return 'worker';
  if (place.view === 'item') return place.id;
  const row = pageRow({ ...state, place });
  return row === null ? place.rowId : rowTitle(row);
}

const whoseJobs: Readonly<Record<ConsoleState['scope'], string>> = {
  mine: '',
  dsa: ' of the archive',
  all: ' of all users',
};

function restriction({ query, errorsOnly }: TableState): string {
  return `${query.text === '' ? '' : ` /${query.text}`}${errorsOnly ? ' (errors only)' : ''}`;
}

/** Broker, intake, in flight; what runs and waits. */
export function healthLine(state: ConsoleState, theme: Theme): Line {
  const { snapshot, now, size } = state;
  const { health } = snapshot;
  const rows = allRows(state);
  const gap = span('  ');
  const left =
    snapshot.link.kind === 'none'
      ? [
          span(
            ` ${theme.glyphs.canceled} no worker ${snapshot.link.trouble === null ? 'runs' : 'within reach'}`,
            'warning',
          ),
          gap,
          span(`${counted(health.inFlight, 'run')} in its journal unfinished`, 'strong'),
        ]
      : [
          span(' '),
          brokerSpan(health.broker, now, theme),
          gap,
          intakeSpan(health, theme),
          gap,
          span(`${count(health.inFlight)}/${count(health.inFlightLimit)} in flight`, 'strong'),
        ];
  const { running, waiting } = countGroups(rows);
  const right = [span(`${count(running)} running  ${count(waiting)} waiting`, 'muted')];
  return spread(left, right, size.columns, theme);
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
      return span(`${glyphs.failed} broker gone for ${age(now - since)}`, 'bad');
    case 'closed':
      return span(`${glyphs.canceled} broker closed`, 'warning');
  }
}

function intakeSpan({ intake, drainedAt }: Health, { glyphs }: Theme): Span {
  const looks: Readonly<Record<Health['intake'], [symbol: string, tone: Tone]>> = {
    open: [glyphs.running, 'good'],
    paused: [glyphs.waiting, 'warning'],
    full: [glyphs.warning, 'warning'],
    draining: [glyphs.working, 'warning'],
    blocked: [glyphs.failed, 'bad'],
  };
  const [symbol, tone] = looks[intake];
  const word = intake === 'draining' && drainedAt !== null ? 'drained' : intake;
  return span(`${symbol} intake ${word}`, tone);
}

/** How old the answer is that the table shows, while nobody answers also why; and how the finished runs ended. */
export function slurmLine(state: ConsoleState, theme: Theme): Line {
  const { place } = state;
  const name = place.view === 'item' || isTable(place) ? tableNameOf(state) : 'jobs';
  const { sums } = tableViews[name];
  return spread(
    [name === 'jobs' ? slurmSpan(state, theme) : ageSpan(name, state, theme)],
    sums?.(state, theme) ?? finishedSpans(state, theme),
    state.size.columns,
    theme,
  );
}

/** How old the rows of a table are, and why they are not newer. */
function ageSpan(name: TableName, state: ConsoleState, theme: Theme): Span {
  const { noun, age: ageOf, progress, unlisted } = tableViews[name];
  const underway = progress?.(state, theme) ?? null;
  if (underway !== null) return underway;
  const { glyphs } = theme;
  const { at, trouble } = ageOf(state);
  const more = unlisted?.(state) ?? 0;
  const asOf =
    at === null
      ? 'not known yet'
      : `${age(state.now - at)} ago${more > 0 ? `, ${count(more)} more not listed` : ''}`;
  if (trouble !== null) {
    const then = at === null ? '' : ', and then';
    return span(` ${glyphs.warning} ${noun} ${asOf}${then}: ${cleanText(trouble)}`, 'warning');
  }
  return at === null
    ? span(` ${glyphs.waiting} ${noun} ${asOf}`, 'muted')
    : span(` ${glyphs.running} ${noun} ${asOf}`, 'good');
}

function slurmSpan(state: ConsoleState, { glyphs }: Theme): Span {
  const { now } = state;
  const { at, trouble } = jobsShown(state);
  const who = runnerName(state.snapshot.executor);
  if (trouble !== null) {
    const silence = at === null ? `${who} has not answered yet` : `${who} silent for ${age(now - at)}`;
    return span(` ${glyphs.warning} ${silence}: ${cleanText(trouble)}`, 'warning');
  }
  return at === null
    ? span(` ${glyphs.waiting} ${who} has not answered yet`, 'muted')
    : span(` ${glyphs.running} ${who} ${age(now - at)} ago`, 'good');
}

function finishedSpans({ snapshot: { health } }: ConsoleState, { glyphs }: Theme): Span[] {
  const { succeeded, failed, canceled } = health.finished;
  const gap = span('   ');
  return [
    span(`${glyphs.succeeded} ${count(succeeded)} ok`, succeeded > 0 ? 'good' : 'muted'),
    gap,
    span(`${glyphs.failed} ${count(failed)} failed`, failed > 0 ? 'bad' : 'muted'),
    gap,
    span(`${glyphs.canceled} ${count(canceled)} canceled`, 'muted'),
  ];
}

/** Trouble with the way to the worker, with the broker, with Girder or with our own files: one line each. */
export function troubleLines(state: ConsoleState, { glyphs }: Theme): Line[] {
  return troublesOf(state).map((trouble) => ({
    spans: [span(` ${glyphs.warning} ${cleanText(trouble)}`, 'warning')],
  }));
}

export function troublesOf({ snapshot: { profile, health, link }, now }: ConsoleState): string[] {
  const said: [who: string, trouble: string | null][] = [
    ['Broker', health.broker.trouble],
    ['Worker', health.trouble],
  ];
  const troubles = said.flatMap(([who, trouble]) => (trouble === null ? [] : [`${who}: ${trouble}`]));
  if (link.kind === 'none' && link.trouble !== null) return [`${link.trouble} It is looked for.`];
  if (link.kind === 'none')
    return [`No worker runs, so tasks wait in the queue. Start one: ${startCommand(profile)}`];
  if (link.kind === 'inside' || link.trouble === null) return troubles;
  const old = `All of this is ${age(now - link.at)} old. ${link.trouble} It is looked for.`;
  return [old, ...troubles];
}

/** With which a worker of this profile is started. */
export function startCommand(profile: string): string {
  return `dsa-slurm ${profile === 'default' ? '' : `--profile ${profile} `}worker`;
}
