import { beforeEach, describe, expect, test, vi } from 'vitest';

import { fakeCluster } from '../../../support/fake-cluster.js';
import { createFakeWorker, type FakeWorker } from '../../../support/fake-worker-handle.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { createController } from '../../../../src/console/commands/controller.js';
import { createStore } from '../../../../src/console/state/store.js';
import { openConsole, type OpenedConsole } from '../opened-console.js';

let worker: FakeWorker;
let console: OpenedConsole;

/** n1 is mixed, n2 drained with the reason `new disk`, n3 down. */
beforeEach(() => {
  worker = createFakeWorker();
  console = openConsole(worker, { columns: 100, rows: 24 });
  console.press('3');
  console.dispatch({ type: 'liveViewChanged', name: 'cluster', view: fakeCluster({}), now: 0 });
});

const message = (): string => console.state().message?.text ?? '';
const line = (text: string): void => {
  console.press(':');
  console.type(text);
  console.press('enter');
};

describe('on the nodes page', () => {
  test(':drain asks by name, with the reason, and only y drains', async () => {
    line('drain disk is broken');
    expect(console.text()).toMatch(/Drain node n1\?[^]*State +mixed[^]*Reason +disk is broken/u);
    console.press('n');
    expect(worker.commands).toEqual([]);
    line('drain disk is broken');
    console.press('y');
    await vi.waitFor(() => expect(message()).toBe('Drain n1: accepted'));
    expect(worker.commands).toEqual(['drain disk is broken n1']);
  });

  test(':drain needs a reason and never drains the worker there', () => {
    line('drain');
    expect(message()).toBe('Slurm needs a reason to drain a node: :drain <reason>');
    expect(worker.commands).toEqual([]);
  });

  test(':resume applies to drained and down nodes among the marked ones', async () => {
    line('resume');
    expect(message()).toBe('Nothing to resume: n1 is neither drained nor down.');
    console.press('*');
    line('resume');
    expect(console.text()).toMatch(/Resume 2 nodes\?[^]*Nodes +n2, n3[^]*skips 1 node/u);
    console.press('y');
    await vi.waitFor(() => expect(worker.commands).toEqual(['resume n2 n3']));
  });

  test('the menu dims what cannot work and asks for the reason', () => {
    console.press('a');
    expect(console.text()).toContain('Choose an action for node n1:');
    expect(console.text()).toMatch(/ r {2}resume +neither drained nor down/u);
    console.press('r');
    expect(message()).toBe('Cannot resume here: neither drained nor down.');
    console.press('d');
    expect(console.state().overlay).toMatchObject({ kind: 'command', text: 'drain ' });
  });

  test('the menu resumes a drained node, with its reason in the question', () => {
    console.press('j', 'a', 'enter');
    expect(console.text()).toMatch(/Resume node n2\?[^]*State +idle\+drain[^]*Reason +new disk/u);
  });

  test('shows the refusal of Slurm and dims the menu with it', async () => {
    worker.answerWith({ ok: false, message: 'slurm_update error: Invalid user id' });
    line('drain x');
    console.press('y');
    const refusal = 'slurm_update error: Invalid user id';
    await vi.waitFor(() => expect(message()).toBe(`Not drained, n1: ${refusal}`));
    console.press('a');
    expect(console.text()).toContain(` d  drain      ${refusal}`);
    console.press('d');
    expect(message()).toBe(`Cannot drain here: ${refusal}.`);
  });

  test('the page about a node drains that node', () => {
    console.press('enter');
    line('drain fans');
    expect(console.text()).toContain('Drain node n1?');
  });
});

test('elsewhere, :drain concerns the worker, but not with a reason', async () => {
  console.press('1');
  line('drain disk is broken');
  expect(message()).toContain('go to :nodes first');
  expect(worker.commands).toEqual([]);
  line('drain');
  await vi.waitFor(() => expect(worker.commands).toEqual(['drain']));
});

test('a read-only console has none of it', () => {
  const store = createStore(
    initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 100, rows: 24 }, readOnly: true }),
  );
  const controller = createController({
    handle: worker,
    store,
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    quit: () => {},
    host: { saveFile: async (name) => name, copyToClipboard: () => {}, openPager: async () => null },
  });
  store.dispatch({ type: 'liveViewChanged', name: 'cluster', view: fakeCluster({}), now: 0 });
  controller.press(['3']);
  controller.press(['a']);
  expect(store.get().message?.text).toContain('read-only');
  controller.press([':']);
  for (const key of 'resume') controller.press([key]);
  controller.press(['enter']);
  expect(store.get().message?.text).toContain('read-only');
  expect(worker.commands).toEqual([]);
});
