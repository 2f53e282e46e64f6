import { expect, test } from 'vitest';
import { runnableTasks, whyNotRunnable } from '../../../../src/girder/protocol/task-names.js';

test('runnable tasks are accepted', () => {
  for (const name of runnableTasks) expect(whyNotRunnable(name)).toBeNull();
});

test.each([
  ['girder.tasks.importDataTask', /needs the database of Girder/],
  ['girder.tasks.deleteFolderTask', /needs the database of Girder/],
  ['girder.tasks.deleteCollectionTask', /needs the database of Girder/],
  ['girder.tasks.copyFolderTask', /needs the database of Girder/],
  ['girder_import_tracker.utils.moveFolder', /needs the database of Girder/],
  ['girder_worker.run', /obsolete version/],
  ['large_image_tasks.tasks.create_tiff', /does not name a container image/],
  ['celery.accumulate', /only tasks that run a container/],
])('%s is refused with its reason, and the setting that helps', (name, reason) => {
  expect(whyNotRunnable(name)).toMatch(reason);
  expect(whyNotRunnable(name)).toContain('broker.forwardQueue');
});

test('a long or hostile name is cut and quoted', () => {
  expect(whyNotRunnable(`evil\u001b[2J${'x'.repeat(500)}`)).toMatch(
    /^The task "evil\\u001b\[2Jx{100,115}…" cannot/,
  );
});
