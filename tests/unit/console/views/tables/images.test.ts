import { beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../../../src/base/clock.js';
import { subscribeStore } from '../../../../../src/console/data/store-subscriptions.js';
import { runsByFile } from '../../../../../src/console/views/tables/images.js';
import { initialState } from '../../../../../src/console/state/reducer.js';
import type { Action } from '../../../../../src/console/state/action.js';
import { createStore } from '../../../../../src/console/state/store.js';
import type { ImageDetail, ImageRow, ImagesView } from '../../../../../src/worker/views/live-views.js';
import { createFakeWorker, fakeRun, type FakeWorker } from '../../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../../opened-console.js';

const minute = 60_000;

const image = (file: string, parts: Partial<ImageRow> = {}): ImageRow => ({
  file,
  bytes: 1_500_000_000,
  modifiedAt: -5 * minute,
  inUse: 0,
  ...parts,
});

const rows = [image('example_small_v1.sif', { inUse: 1 }), image('other_v2.sif')];

const images = (parts: Partial<ImagesView> = {}): Action => ({
  type: 'liveViewChanged',
  name: 'images',
  view: { directory: '/shared/images', rows, at: 0, problem: null, ...parts },
  now: 0,
});

const message: ImageDetail = {
  ok: true,
  facts: {
    labels: { entry_path: '/opt/app', maintainer: 'evil \u001B[2J' },
    workingDirectory: '/opt/app',
    workingDirectoryFrom: 'label',
    entrypoint: ['./docker-entrypoint.sh'],
    entrypointFrom: 'label',
    cmd: [],
    needsGpu: true,
    oci: null,
    inside: null,
  },
};

let worker: FakeWorker;
let console: OpenedConsole;

beforeEach(() => {
  worker = createFakeWorker();
  worker.show({
    runs: [
      fakeRun({ id: 'aaaaaaaa-1', stage: 'running', title: 'Liver' }),
      fakeRun({
        id: 'bbbbbbbb-2',
        stage: 'finished',
        outcome: 'failed',
        cli: 'Positive',
        acceptedAt: -minute,
      }),
    ],
  });
  console = openConsole(worker, { columns: 140, rows: 24 });
});

describe('images', () => {
  test('are listed with size, age, entry path, CLIs and use', () => {
    console.press('6');
    console.dispatch(images(), {
      type: 'imageDetailReceived',
      image: image('example_small_v1.sif'),
      detail: message,
    });
    const text = console.text();
    expect(text).toContain('● images 0s ago');
    expect(text).toContain('2 files, 3.0 GB');
    expect(text).toMatch(
      /▸example_small_v1\.sif +1\.5 GB +5m 00s +1 +\/opt\/app +NucleiDetection, Positive +0s/u,
    );
    expect(text).toMatch(/ other_v2\.sif +1\.5 GB +5m 00s +0 +… /u);
  });

  test('reports unlisted images without marking the rows as outdated', () => {
    console.press('6');
    console.dispatch(images({ unlisted: 1_234 }));
    expect(console.text()).toContain('● images 0s ago, 1,234 more not listed');
    expect(console.text()).not.toContain('~');
    console.dispatch(images({ unlisted: 1_234, problem: 'EIO' }));
    expect(console.text()).toMatch(/▲ images 0s ago, 1,234 more not listed[^]*▲ images: update failed: EIO/u);
    expect(console.text()).toMatch(/^~other_v2/mu);
  });

  test('shows why an image cannot be read, and reads a replaced one again', () => {
    console.press('6');
    const detail: ImageDetail = { ok: false, message: 'not a SIF' };
    console.dispatch(images(), { type: 'imageDetailReceived', image: image('other_v2.sif'), detail });
    expect(console.text()).toMatch(/other_v2\.sif .* ✘ not a SIF/u);
    console.press('e');
    expect(console.state().tables.images.shown.map(({ id }) => id)).toEqual(['other_v2.sif']);
    console.dispatch(images({ rows: [image('other_v2.sif', { modifiedAt: 0 })] }));
    expect(console.state().tables.images.shown).toEqual([]);
  });

  test('Enter shows all metadata, with untrusted text cleaned', () => {
    console.press('6');
    console.dispatch(images(), {
      type: 'imageDetailReceived',
      image: image('example_small_v1.sif'),
      detail: message,
    });
    console.press('enter');
    const text = console.text();
    expect(text).toContain('› images › example_small_v1.sif');
    expect(text).toMatch(/in use +by 1 run in flight/u);
    expect(text).toMatch(/working dir +\/opt\/app \(label\)/u);
    expect(text).toMatch(/GPU +required: --nv/u);
    expect(text).toMatch(/maintainer +evil *\n/u);
    console.press('G');
    expect(console.text()).toMatch(
      /● running .*aaaaaaaa {2}NucleiDetection {2}Liver\n.*✘ failed .*bbbbbbbb {2}Positive/u,
    );
  });

  test('distinguishes not read yet, not readable and empty', () => {
    console.press('6');
    expect(console.text()).toContain('Reading the image directory.');
    console.dispatch(images({ rows: [], at: null, problem: 'EACCES' }));
    expect(console.text()).toContain('The image directory cannot be read: EACCES');
    console.dispatch(images({ rows: [] }));
    expect(console.text()).toContain('/shared/images contains no image files (*.sif).');
  });

  test('update when runs arrive', () => {
    console.press('6');
    console.dispatch(images());
    worker.show({ runs: [fakeRun({ id: 'c', image: 'other:v2', cli: 'Late' })] });
    console.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now: 0 });
    expect(console.text()).toMatch(/other_v2\.sif .* Late/u);
  });
});

test('metadata of visible images is read once, one at a time', async () => {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  worker.imageDetail = async (file) => {
    asked.push(file);
    await new Promise<void>((resolve) => {
      answers.push(resolve);
    });
    return message;
  };
  const store = createStore(
    initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 100, rows: 24 } }),
  );
  const stop = subscribeStore(worker, store, systemClock);
  try {
    store.dispatch(images());
    expect(asked).toEqual([]);
    store.dispatch({ type: 'navigated', place: { view: 'images' } });
    expect(asked).toEqual(['example_small_v1.sif']);
    store.dispatch({ type: 'cursorMoved', move: 'down' });
    answers.shift()?.();
    await vi.waitFor(() => expect(asked).toEqual(['example_small_v1.sif', 'other_v2.sif']));
    answers.shift()?.();
    await vi.waitFor(() => expect(store.get().imageDetails.size).toBe(2));
    store.dispatch(images());
    expect(asked).toHaveLength(2);
  } finally {
    stop();
  }
});

test('runs are grouped by image file, and invalid image names are skipped', () => {
  const runs = [
    fakeRun({ id: '1', image: 'a/b:c' }),
    fakeRun({ id: '2', image: 'a/b:c', acceptedAt: 5 }),
    fakeRun({ id: '3', image: '../x' }),
    fakeRun({ id: '4', image: '' }),
  ];
  const found = runsByFile(runs);
  expect([...found.keys()]).toEqual(['a_b_c.sif']);
  expect(found.get('a_b_c.sif')?.map(({ id }) => id)).toEqual(['2', '1']);
});
