import { formatAge } from '../../base/text/duration.js';
import { clusterUse } from './cluster-use.js';
import { formatCount, pluralize } from './format.js';
import { executorName } from './executor-labels.js';
import { countGroups } from '../state/rows.js';
import {
  isTable,
  listedJobs,
  lostWorker,
  pageRow,
  tableNameOf,
  tableNames,
  type ConsoleState,
  type Place,
  type TableName,
} from '../state/state.js';
import { clip, justify, spansWidth } from '../terminal/line-layout.js';
import { sparkline } from '../terminal/sparkline.js';
import { cleanText } from '../terminal/text.js';
import { span, type Line, type Span, type Theme, type Tone } from '../terminal/theme.js';
import type { TableState } from '../table/table-state.js';
import { rowTitle } from './tables/jobs.js';
import { tableView } from './tables/all-tables.js';

/** Short names of the views, for a narrow terminal. */
const shortNames: Readonly<Record<string, string>> = {
  batches: 'batch',
  partitions: 'part',
  history: 'hist',
  images: 'imgs',
  doctor: 'doc',
  worker: 'wrk',
};

/** The views with their keys, as verbose as the width allows; the open one is highlighted. */
export function tabsLine(state: ConsoleState, theme: Theme): Line {
  const { columns } = state.size;
  const open = state.place.view === 'worker' ? 'worker' : tableNameOf(state);
  const badge = doctorBadge(state, theme);
  const tabs = (gap: string, nameOf: (name: string) => string, end = ' '): Span[] =>
    [...tableNames, 'worker'].flatMap((name, index) => {
      const label = `${index + 1} ${nameOf(name)}`.trimEnd();
      return [
        span(index === 0 ? ' ' : gap),
        ...(name === open ? [span(` ${label}${end}`, 'current')] : [span(` ${label}${end}`, 'muted')]),
        ...(name === 'doctor' && badge !== null ? [badge] : []),
      ];
    });
  const brand = [span(' dsa-slurm ', 'accent')];
  const candidates = [
    [...brand, ...tabs(' ', (name) => name)],
    tabs('', (name) => name),
    tabs('', (name) => shortNames[name] ?? name, ''),
    tabs('', (name) => (name === open ? (shortNames[name] ?? name) : '')),
  ];
  const fitting = candidates.find((spans) => spansWidth(spans) <= columns) ?? [];
  return { spans: fitting };
}

/** The number of problems that the doctor has found; null if it has found none or has not run. */
function doctorBadge({ doctor: { results } }: ConsoleState, { glyphs }: Theme): Span | null {
  const found = [...results.values()].map(({ result }) => result.status);
  const failed = found.filter((status) => status === 'fail').length;
  const warned = found.filter((status) => status === 'warn').length;
  if (failed > 0) return span(`${glyphs.failed}${formatCount(failed)} `, 'bad');
  return warned > 0 ? span(`${glyphs.warning}${formatCount(warned)} `, 'warning') : null;
}

/** ` dsa-slurm › profile › jobs`, and at the right the totals that the status line has no room for and the title of this console. */
export function titleLine(state: ConsoleState, theme: Theme): Line {
  const left = crumbSpans(state, theme);
  const right = stateSpans(state);
  const room = state.size.columns - spansWidth(left) - spansWidth(right) - 3 - spansWidth([gap]);
  const totals = statusParts(state, theme).hasTotals
    ? []
    : (totalsOf(state, theme).variants.find((spans) => spansWidth(spans) <= room) ?? []);
  const between = totals.length === 0 || right.length === 0 ? [] : [gap];
  return justify(left, [...totals, ...between, ...right], state.size.columns, theme);
}

/** ` dsa-slurm › profile › jobs`, for a screen reader, which announces only what changed. */
export function plainTitle(state: ConsoleState, theme: Theme): Line {
  return justify(crumbSpans(state, theme), stateSpans(state), state.size.columns, theme);
}

function crumbSpans(state: ConsoleState, { glyphs }: Theme): Span[] {
  const crumbs = ['dsa-slurm', state.snapshot.profile, ...breadcrumbs(state)].map(cleanText);
  return crumbs.flatMap((crumb, index) => [
    span(index === 0 ? ' ' : ` ${glyphs.crumb} `, 'muted'),
    span(crumb, index === 0 ? 'accent' : index === crumbs.length - 1 ? 'strong' : 'plain'),
  ]);
}

/** What is special about this console. */
function stateSpans(state: ConsoleState): Span[] {
  const spans: Span[] = [];
  if (state.frozen !== null)
    spans.push(span(`[frozen for ${formatAge(state.now - state.frozen.since)}] `, 'warning'));
  if (state.title !== null) spans.push(span(cleanText(state.title), 'muted'));
  // a title says more, and 80 columns have no room for both
  if (state.title === null || state.snapshot.link.kind !== 'inside') spans.push(...linkSpans(state));
  if (state.readOnly) spans.push(span(`${spans.length === 0 ? '' : ' '}[read-only]`, 'warning'));
  return spans;
}

/** Where the worker runs. */
function linkSpans({ snapshot: { link }, now }: ConsoleState): Span[] {
  if (link.kind === 'inside') return [span(' [worker inside]', 'muted')];
  if (link.kind === 'none') return [span(' [no worker]', 'warning')];
  if (link.problem === null) return [span(` attached to process ${link.pid}`, 'muted')];
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
  if (place.view === 'scheduler') return 'sdiag';
  if (place.view === 'accounting') return 'sacct';
  if (place.view === 'script') return `script of ${place.jobId}`;
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

/**
 * Broker, intake, runs in flight with their recent course, use of the cluster, totals, and at the right the age of the data. What
 * does not fit is left out, the least important first.
 */
export function statusLine(state: ConsoleState, theme: Theme): Line {
  const { left, right } = statusParts(state, theme);
  const { columns } = state.size;
  return justify(left, clip(right, columns - 20, theme), columns, theme);
}

interface StatusParts {
  left: readonly Span[];
  right: readonly Span[];
  /** The totals are in the line; otherwise the line above shows them if it has room. */
  hasTotals: boolean;
}

function statusParts(state: ConsoleState, theme: Theme): StatusParts {
  const age = ageSpans(state, theme);
  const pulse = pulseSpans(state, theme);
  const { variants, own } = totalsOf(state, theme);
  const [long = []] = variants;
  // totals of nodes and partitions say the same
  const use = own ? [] : clusterUse(state, theme);
  const isOpen = state.snapshot.health.intake === 'open';
  const worker = workerSpans(state, theme, true);
  const withTotals = (left: readonly Span[], totals: readonly Span[]): StatusParts => ({
    left,
    right: [...totals, gap, ...age],
    hasTotals: true,
  });
  const candidates = [
    withTotals([...worker, ...pulse, ...use], long),
    { left: [...worker, ...pulse, ...use], right: age, hasTotals: false },
    { left: [...worker, ...pulse], right: age, hasTotals: false },
    { left: worker, right: age, hasTotals: false },
  ];
  return (
    candidates.find(({ left, right }) => spansWidth(left) + spansWidth(right) + 3 <= state.size.columns) ?? {
      left: workerSpans(state, theme, !isOpen),
      right: age,
      hasTotals: false,
    }
  );
}

const gap = span('   ');

/** The worker's health and the number of runs in flight. */
function workerSpans(state: ConsoleState, theme: Theme, withIntake: boolean): Span[] {
  const { snapshot, now } = state;
  const { health, link } = snapshot;
  const { glyphs } = theme;
  const between = span('  ');
  const lost = lostWorker(snapshot);
  if (lost !== null) {
    const word = lost.ended ? 'worker ended' : 'worker not responding';
    return [
      span(` ${glyphs.failed} ${word}, process ${lost.pid}`, 'bad'),
      between,
      span(`${pluralize(health.inFlight, 'run')} in flight ${formatAge(now - lost.at)} ago`, 'strong'),
    ];
  }
  if (link.kind === 'none') {
    const word = link.problem === null ? 'running' : 'reachable';
    return [
      span(` ${glyphs.canceled} no worker ${word}`, 'warning'),
      between,
      span(`${pluralize(health.inFlight, 'unfinished run')} in its journal`, 'strong'),
    ];
  }
  const inFlight = span(
    `${formatCount(health.inFlight)}/${formatCount(health.inFlightLimit)} in flight`,
    'strong',
  );
  return [
    span(' '),
    brokerSpan(health.broker, now, theme),
    between,
    ...(withIntake ? [intakeSpan(health, theme), between] : []),
    inFlight,
  ];
}

/** The number of runs in flight over the last minutes. */
function pulseSpans({ pulse, snapshot: { link } }: ConsoleState, { glyphs }: Theme): Span[] {
  return link.kind === 'none' || pulse.samples.length < 2
    ? []
    : [span(` ${sparkline(pulse.samples, glyphs)}`, 'busy')];
}

interface Totals {
  /** From complete to short. */
  variants: readonly (readonly Span[])[];
  /** They are those of the table on screen. */
  own: boolean;
}

/** Totals of the table on screen, or of running, waiting and finished runs. */
function totalsOf(state: ConsoleState, theme: Theme): Totals {
  const { place } = state;
  const name = place.view === 'item' || isTable(place) ? tableNameOf(state) : 'jobs';
  const totals = tableView(name).totals?.(state, theme);
  return totals === undefined ? runTotals(state, theme) : { variants: [totals], own: true };
}

function runTotals(state: ConsoleState, { glyphs }: Theme): Totals {
  const { succeeded, failed, canceled } = state.snapshot.health.finished;
  const { running, waiting } = countGroups(state.tables.jobs.rows);
  const all: readonly (readonly [glyph: string, count: number, word: string, tone: Tone])[] = [
    [glyphs.running, running, 'running', 'good'],
    [glyphs.waiting, waiting, 'waiting', 'waiting'],
    [glyphs.succeeded, succeeded, 'ok', 'good'],
    [glyphs.failed, failed, 'failed', 'bad'],
    [glyphs.canceled, canceled, 'canceled', 'muted'],
  ];
  const spansOf = (
    list: typeof all,
    separator: string,
    text: (one: (typeof all)[number]) => string,
  ): Span[] =>
    list.map((one, index) =>
      span(`${index === 0 ? '' : separator}${text(one)}`, one[1] === 0 ? 'muted' : one[3]),
    );
  const some = all.filter(([, count]) => count > 0);
  return {
    variants: [
      spansOf(all, '   ', ([glyph, count, word]) => `${glyph} ${formatCount(count)} ${word}`),
      spansOf(some, '   ', ([glyph, count, word]) => `${glyph} ${formatCount(count)} ${word}`),
      spansOf(some, ' ', ([glyph, count]) => `${glyph}${formatCount(count)}`),
    ],
    own: false,
  };
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

/** The age of the data of the table on screen. */
function ageSpans(state: ConsoleState, theme: Theme): readonly Span[] {
  const { place } = state;
  const name = place.view === 'item' || isTable(place) ? tableNameOf(state) : 'jobs';
  return [name === 'jobs' ? jobsAgeSpan(state, theme) : ageSpan(name, state, theme)];
}

function ageSpan(name: TableName, state: ConsoleState, theme: Theme): Span {
  const { label, age, progress, unlisted } = tableView(name);
  const running = progress?.(state, theme) ?? null;
  if (running !== null) return running;
  const { glyphs } = theme;
  const { at, problem } = age(state);
  if (at === null) {
    return problem === null
      ? span(`${glyphs.waiting} ${label} not loaded yet`, 'muted')
      : span(`${glyphs.warning} ${label} not loaded`, 'warning');
  }
  const more = unlisted?.(state) ?? 0;
  const asOf = `${label} ${formatAge(state.now - at)} ago${more > 0 ? `, ${formatCount(more)} more not listed` : ''}`;
  return problem === null
    ? span(`${glyphs.running} ${asOf}`, 'good')
    : span(`${glyphs.warning} ${asOf}`, 'warning');
}

function jobsAgeSpan(state: ConsoleState, { glyphs }: Theme): Span {
  const { at, problem, lostAt } = listedJobs(state);
  const who = executorName(state.snapshot.executor);
  if (lostAt !== undefined) {
    const status = at === null ? 'jobs unknown' : `jobs as of ${formatAge(state.now - at)} ago`;
    return span(`${glyphs.warning} ${status}: ${problem ?? ''}`, 'warning');
  }
  if (at === null)
    return span(
      `${glyphs[problem === null ? 'waiting' : 'warning']} ${who} has not answered yet`,
      problem === null ? 'muted' : 'warning',
    );
  const age = formatAge(state.now - at);
  return problem === null
    ? span(`${glyphs.running} ${who} ${age} ago`, 'good')
    : span(`${glyphs.warning} ${who} silent for ${age}`, 'warning');
}

/** Why the data of the table on screen could not be updated; null if it could. */
function updateProblem(state: ConsoleState): string | null {
  const { place, snapshot, now } = state;
  const name = place.view === 'item' || isTable(place) ? tableNameOf(state) : 'jobs';
  if (name !== 'jobs') {
    const { label, age } = tableView(name);
    const { problem } = age(state);
    return problem === null ? null : `${label}: update failed: ${problem}`;
  }
  const { at, problem } = listedJobs(state);
  if (problem === null) return null;
  const who = executorName(snapshot.executor);
  return at === null
    ? `${who} has not answered yet: ${problem}`
    : `${who} not responding for ${formatAge(now - at)}: ${problem}`;
}

/** Problems with the worker, the broker, Girder or local files: one line each. */
export function warningLines(state: ConsoleState, { glyphs }: Theme): Line[] {
  return warningsOf(state).map((text) => ({
    spans: [span(` ${glyphs.warning} ${cleanText(text)}`, 'warning')],
  }));
}

export function warningsOf(state: ConsoleState): string[] {
  const { snapshot, now, canStart } = state;
  const { profile, health, link } = snapshot;
  const start = `${canStart ? 'press u, or: ' : ''}${startCommand(profile)}`;
  const lost = lostWorker(snapshot);
  if (lost !== null && lost.ended) {
    return [
      `Start the worker again: ${start} (until then no task is accepted, and Girder gets no updates; jobs continue)`,
    ];
  }
  // what it reported last about its broker says nothing about now
  if (lost !== null) return [`This data is ${formatAge(now - lost.at)} old. ${lost.problem} Reconnecting.`];
  const problem = updateProblem(state);
  const updates = problem === null ? [] : [problem];
  const warnings = [
    ...updates,
    ...(health.broker.problem === null ? [] : [`Broker: ${health.broker.problem}`]),
    ...(health.problem === null ? [] : [`Worker: ${health.problem}`]),
  ];
  if (link.kind === 'none' && link.problem !== null) return [`${link.problem} Reconnecting.`, ...updates];
  if (link.kind === 'none') return [`Tasks wait in the queue. Start a worker: ${start}`, ...updates];
  return warnings;
}

/** The command that starts a worker of this profile. */
export function startCommand(profile: string): string {
  return `dsa-slurm ${profile === 'default' ? '' : `--profile ${profile} `}worker`;
}
