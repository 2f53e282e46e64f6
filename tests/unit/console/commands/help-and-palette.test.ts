import { beforeEach, describe, expect, test } from 'vitest';
import { createFakeWorker, fakeRun } from '../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../opened-console.js';

let console: OpenedConsole;

beforeEach(() => {
  const worker = createFakeWorker();
  worker.show({ runs: [fakeRun({ id: 'run-1', title: 'Liver' })] });
  console = openConsole(worker, { columns: 120, rows: 40 });
});

describe('the help', () => {
  test('runs the keys of the view below it, and says how to leave', () => {
    console.press('?');
    expect(console.text()).toMatch(/Esc close/u);
    console.press('3');
    expect(console.state().place).toEqual({ view: 'nodes' });
    expect(console.state().overlay.kind).toBe('none');
  });

  test('is searched with /; Esc ends the search, then the help', () => {
    console.press('?');
    console.type('/dense');
    expect(console.text()).toContain('search the help /dense');
    expect(console.text()).toContain('Pack columns densely');
    expect(console.text()).not.toContain('Mark all visible rows');
    console.press('enter', 'esc');
    expect(console.text()).toContain('Mark all visible rows');
    console.press('esc');
    expect(console.state().overlay.kind).toBe('none');
  });

  test('says that nothing contains a text', () => {
    console.press('?');
    console.type('/zzzz');
    expect(console.text()).toContain('Nothing contains "zzzz".');
  });
});

describe('the palette', () => {
  test('lists matching commands with their keys; the arrows choose and Enter runs one', () => {
    console.type(':no');
    expect(console.text()).toMatch(/ :nodes +3 +Nodes of the cluster/u);
    console.press('down', 'enter');
    expect(console.state().place).toEqual({ view: 'nodes' });
  });

  test('only completes a command that needs a value', () => {
    console.type(':timel');
    console.press('down', 'enter');
    expect(console.state().overlay).toEqual({ kind: 'command', text: 'timelimit ', index: null });
  });

  test('does not run a command that was not chosen', () => {
    console.type(':partit');
    console.press('enter');
    expect(console.state().place).toEqual({ view: 'jobs' });
    expect(console.text()).toContain('Unknown command "partit". Did you mean :partitions?');
  });
});

test('T goes on from the theme that suits the terminal', () => {
  const console = openConsole(createFakeWorker(), { columns: 100, rows: 24 });
  console.press('T');
  expect(console.state().theme).toBe('light');
  console.type('TTT');
  expect(console.state().theme).toBe('dark');
});
