import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dumpMessage } from '../../../src/girder/pickle/decoder-dump.js';
import { decodeMessage } from '../../../src/girder/protocol/read-message.js';
import { fixtureTask } from './fixtures.js';

const contract = new URL('../../fixtures/contract/', import.meta.url);
const names = readdirSync(new URL('tasks/', contract)).filter((name) => name.endsWith('.json'));

describe('captured task messages', () => {
  it('are complete', () => {
    expect(names).toHaveLength(readdirSync(new URL('expected/decoded/', contract)).length);
    expect(names.length).toBeGreaterThan(55);
  });

  it.each(names)('%s decodes as Python decodes it', (name) => {
    const expected = JSON.parse(
      readFileSync(new URL(`expected/decoded/${name}`, contract), 'utf8'),
    ) as Record<string, unknown>;
    const task = fixtureTask(name);
    expect({
      fixture: `tasks/${name}`,
      task: task.name,
      ...dumpMessage(decodeMessage(task)),
    }).toStrictEqual(expected);
  });
});
