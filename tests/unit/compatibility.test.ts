import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { transformNames } from '../../src/girder/protocol/classes.js';
import { jobStatus } from '../../src/girder/jobs/transitions.js';
import { runnableTasks } from '../../src/girder/protocol/task-names.js';
import { girderRequirements } from '../../src/sandbox/real-girder/install.js';
import { girderSlurmKeys } from '../../src/worker/job-request/girder-slurm-settings.js';
import { isTest, quotedIn, readEntries, textOf } from '../support/doc-entries.js';

const root = new URL('../../', import.meta.url);

const rows = readEntries(textOf('docs/compatibility.md'));

/** What has a row in the sections whose heads begin so. */
const listed = (head: string) =>
  rows.filter(({ section }) => section.startsWith(head)).flatMap(({ what }) => quotedIn(what));

/** The names in quotes that a pattern finds in a source file. */
const namesIn = (file: string, pattern: RegExp) =>
  [...textOf(file).matchAll(pattern)].map(([, name = '']) => name);

describe('docs/compatibility.md', () => {
  test('has a row for all that it is about', () => {
    expect(rows.length).toBeGreaterThan(180);
    for (const { what, text } of rows) expect(text, what).not.toBe('');
  });

  test('names tests that are there', () => {
    for (const { what, text, proofs } of rows) {
      if (proofs.length === 0) expect(`${what}: ${text}`).toMatch(/: no: /);
      for (const proof of proofs) {
        expect(proof, what).toMatch(/^`[^`]+`$/);
        for (const named of quotedIn(proof)) expect(isTest(named), `${what}: ${named}`).toBe(true);
      }
    }
  });

  test('names the releases that the tests with a real Girder install', () => {
    const database = /FerretDB v([\d.]+)/.exec(textOf('templates/sandbox/girder/mongo/go.mod'))?.[1];
    const pinned = Object.values(girderRequirements).flat();
    expect(listed('Releases')).toEqual(
      expect.arrayContaining([`FerretDB==${database}`, ...pinned.filter((each) => each.includes('=='))]),
    );
  });

  test('has every class that is known', () => {
    expect(listed('Volumes')).toEqual(expect.arrayContaining([...transformNames]));
  });

  test('has every method of remote control', () => {
    const methods = namesIn('src/celery/control/control.ts', /^ {2}\['(\w+)',/gm);
    expect(methods.length).toBeGreaterThan(25);
    expect(listed('Remote control')).toEqual(expect.arrayContaining(methods));
  });

  test('has every status of a Girder job', () => {
    const statuses = rows.map(({ what }) => what.replaceAll('`', ''));
    expect(statuses).toEqual(
      expect.arrayContaining(Object.entries(jobStatus).map(([name, number]) => `${number} ${name}`)),
    );
  });

  test('has every task that is run, and every one that is refused with a reason of its own', () => {
    const refused = namesIn('src/girder/protocol/task-names.ts', /^ {4}'([\w.]+)',$/gm);
    expect(refused).toContain('girder_worker.run');
    expect(listed('Tasks')).toEqual(expect.arrayContaining([...runnableTasks, ...refused]));
  });

  test('has every event that is sent', () => {
    const events = namesIn('src/celery/control/events.ts', /'((?:task|worker)-\w+)'/g);
    expect(new Set(events).size).toBeGreaterThanOrEqual(8);
    expect(listed('Results')).toEqual(expect.arrayContaining(events));
  });

  test('has every captured message, and no group without one', () => {
    const names = readdirSync(new URL('tests/fixtures/contract/tasks/', root)).map((name) =>
      name.replace(/\.json$/, ''),
    );
    const groups = listed('Captured').map(
      (group) => new RegExp(`^${group.replaceAll('.', String.raw`\.`).replaceAll('*', '.*')}$`),
    );
    expect(names.filter((name) => !groups.some((group) => group.test(name)))).toEqual([]);
    expect(groups.filter((group) => !names.some((name) => group.test(name)))).toEqual([]);
  });

  test("has every setting of Girder's that is read for Slurm", () => {
    expect(listed("Girder's settings")).toEqual(expect.arrayContaining(girderSlurmKeys));
  });

  test('has the thirty defects', () => {
    const numbers = rows
      .filter(({ section }) => section.startsWith('The defects'))
      .map(({ what }) => Number.parseInt(what, 10));
    expect(numbers).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
  });
});
