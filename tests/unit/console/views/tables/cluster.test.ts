import { beforeEach, describe, expect, test } from 'vitest';
import {
  countGpus,
  isOnNode,
  formatMebibytes,
  nodeStatus,
} from '../../../../../src/console/views/tables/node-facts.js';
import type { Action } from '../../../../../src/console/state/action.js';
import { fakeCluster } from '../../../../support/fake-cluster.js';
import {
  createFakeWorker,
  fakeJob,
  fakeRun,
  type FakeWorker,
} from '../../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../../opened-console.js';

let worker: FakeWorker;
let console: OpenedConsole;

const cluster = (parts: Parameters<typeof fakeCluster>[0] = {}): Action => ({
  type: 'liveViewChanged',
  name: 'cluster',
  view: fakeCluster(parts),
  now: 3_000,
});

beforeEach(() => {
  worker = createFakeWorker();
  worker.show({
    runs: [fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: 'Liver' })],
    jobs: { rows: [fakeJob({ id: '4711', nodes: 'n[1-2]' }), fakeJob({ id: '4712', nodes: 'n9' })] },
  });
  console = openConsole(worker, { columns: 120, rows: 24 });
});

describe('nodes', () => {
  test('are listed with free resources, and unavailable ones with symbol, state and reason', () => {
    console.press('3');
    console.dispatch(cluster());
    const text = console.text();
    expect(text).toContain('dsa-slurm › default › nodes');
    expect(text).toContain('● nodes 3s ago');
    expect(text).toMatch(/▲ 2 down or drained {3}6\/24 cpus free {3}1\/2 gpus free/u);
    expect(text).toMatch(/▸● mixed +n1 +cpu,gpu +2\.25 +6\/8 +12G\/16G +1\/2/u);
    expect(text).toMatch(/ ▲ idle\+drain +n2 .* 0\/8 .* new disk/u);
    expect(text).toMatch(/ ✘ down\* +n3 .* Not responding/u);
  });

  test('distinguishes not loaded, empty and no answer', () => {
    console.press('3');
    expect(console.text()).toContain('Loading nodes from Slurm.');
    console.dispatch(cluster({ nodes: [], at: null, problem: 'sinfo exited with 1' }));
    expect(console.text()).toContain('No nodes are known, because Slurm has not answered yet.');
    expect(console.text()).toMatch(/▲ nodes not loaded[^]*sinfo exited with 1/u);
    console.dispatch(cluster({ nodes: [] }));
    expect(console.text()).toContain('Slurm has no nodes.');
    console.dispatch(cluster());
    console.type('/zzz');
    console.press('enter');
    expect(console.text()).toContain('No matches for "zzz"; the filter hides 3 rows.');
  });

  test('stay visible as outdated when an update fails', () => {
    console.press('3');
    console.dispatch(cluster());
    expect(console.text()).not.toContain('~');
    console.dispatch(cluster({ problem: 'sinfo did not answer within 30 s' }), { type: 'tick', now: 42_000 });
    expect(console.text()).toMatch(
      /▲ nodes 42s ago[^]*▲ nodes: update failed: sinfo did not answer within 30 s/u,
    );
    expect(console.text()).toMatch(/\n~▲ idle\+drain +n2/u);
  });

  test('errors only keeps unavailable nodes', () => {
    console.press('3', 'e');
    console.dispatch(cluster());
    expect(console.text()).not.toMatch(/mixed +n1/u);
    expect(console.text()).toMatch(/n2[^]*n3/u);
  });

  test('Enter opens a node with its jobs, and Esc goes back', () => {
    console.press('3');
    console.dispatch(cluster());
    console.press('enter');
    expect(console.text()).toContain('› nodes › n1');
    expect(console.text()).toMatch(/cpus +6 free, 2 in use, 0 unavailable, of 8/u);
    expect(console.text()).toMatch(/Jobs on this node\n.*RUNNING +4711 .*Liver/u);
    expect(console.text()).not.toContain('4712');
    console.press('y');
    expect(console.copied).toEqual(['n1']);
    console.press('esc');
    expect(console.state().place).toEqual({ view: 'nodes' });
    console.press('esc');
    expect(console.state().place).toEqual({ view: 'jobs' });
  });
});

describe('partitions', () => {
  test('are listed with their nodes, and a partition that is down has a symbol', () => {
    console.press('4');
    console.dispatch(cluster());
    expect(console.text()).toMatch(/▸● up +cpu +default .* 1 +6\/24 .*1 mixed, 1 idle\+drain, 1 down\*/u);
    expect(console.text()).toMatch(/ ✘ down +gpu /u);
  });

  test('Enter lists the nodes of a partition, and Esc goes back and drops the filter', () => {
    console.press('4');
    console.dispatch(cluster());
    console.press('down', 'enter');
    expect(console.text()).toContain('› partitions › nodes /partitions=gpu');
    expect(console.state().tables.nodes.shown.map(({ id }) => id)).toEqual(['n1']);
    console.press('esc');
    expect(console.state().place).toEqual({ view: 'partitions' });
    console.press('3');
    expect(console.state().tables.nodes.shown).toHaveLength(3);
  });
});

test('each table has its own filter, sorting, marks and columns', () => {
  console.press('3');
  console.dispatch(cluster());
  console.type('/n2');
  console.press('enter', 'N');
  console.type(':columns node,load');
  console.press('enter');
  expect(console.preferred.at(-1)?.columns).toEqual({ nodes: ['node', 'load'] });
  console.press('1');
  const { jobs, nodes } = console.state().tables;
  expect([jobs.query.text, jobs.sorting, jobs.columns]).toEqual(['', null, null]);
  expect([nodes.query.text, nodes.sorting]).toEqual(['n2', { column: 'node', descending: false }]);
  // completes the columns of the table on screen
  console.type('3:sort re');
  console.press('tab');
  expect(console.state().overlay).toMatchObject({ kind: 'command', text: 'sort reason ' });
});

test('keys for jobs have no effect in other tables', () => {
  console.press('3', 'x', 'l');
  expect([console.state().overlay.kind, console.state().log]).toEqual(['none', null]);
});

test('a frozen screen keeps its nodes until it is unfrozen', () => {
  console.press('3');
  console.dispatch(cluster());
  console.press('z');
  console.dispatch(cluster({ nodes: [] }));
  expect(console.state().tables.nodes.shown).toHaveLength(3);
  console.press('z');
  expect(console.state().tables.nodes.shown).toHaveLength(0);
});

test.each([
  ['idle', 'waiting', 'good'],
  ['mixed', 'running', 'good'],
  ['allocated', 'running', 'good'],
  ['idle+drain', 'warning', 'warning'],
  ['mixed+drain', 'warning', 'warning'],
  ['down+drain', 'failed', 'bad'],
  ['idle*', 'failed', 'bad'],
  ['down*', 'failed', 'bad'],
  ['unknown+not_responding', 'failed', 'bad'],
  ['idle+powered_down', 'working', 'busy'],
  ['idle~', 'waiting', 'good'],
  ['reserved', 'working', 'busy'],
  ['what', 'unknown', 'plain'],
])('node state %s has the symbol %s', (state, glyph, tone) => {
  expect(nodeStatus(state)).toEqual({ glyph, tone });
});

test.each([
  ['', 0],
  ['gpu:2', 2],
  ['gpu', 1],
  ['gpu:a100', 1],
  ['gpu:a100:4(S:0-1)', 4],
  ['gpu:a100:1(IDX:0,2),gpu:t4:2(IDX:0-1)', 3],
  ['shard:8,gpu:1', 1],
  ['(null)', 0],
])('%j contains %i GPUs', (gres, number) => {
  expect(countGpus(gres)).toBe(number);
});

test.each([
  ['n1', true],
  ['n[1-3]', true],
  ['n11', false],
  ['n[2-3]', false],
  ['', false],
])('a job on %j runs on n1: %j', (nodes, is) => {
  expect(isOnNode(nodes, 'n1')).toBe(is);
});

test.each([
  [512, '512M'],
  [16_000, '15.6G'],
  [2_097_152, '2T'],
])('formats %i MiB as %s', (mebibytes, text) => {
  expect(formatMebibytes(mebibytes)).toBe(text);
});
