import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { openRevokedTasks } from '../../../../src/worker/run-state/revoked-tasks.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'revoked-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('revoked ids', () => {
  test('are there again after a crash, with nothing closed', async () => {
    const first = await openRevokedTasks(dir);
    await first.add(['a', 'b']);
    const second = await openRevokedTasks(dir);
    expect(second.ids()).toEqual(['a', 'b']);
    expect(second.has('a')).toBe(true);
    await first.close();
    await second.close();
  });

  test('are bounded; the oldest goes first, and one that is revoked again is the newest', async () => {
    const revoked = await openRevokedTasks(dir, 3);
    await revoked.add(['a', 'b', 'c']);
    await revoked.add(['a']);
    await revoked.add(['d']);
    expect(revoked.ids()).toEqual(['c', 'a', 'd']);
    for (let round = 0; round < 20; round += 1) await revoked.add([`r${round}`]);
    await revoked.close();
    const text = await readFile(join(dir, 'revoked.txt'), 'utf8');
    expect(text.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(6);
    const again = await openRevokedTasks(dir, 3);
    expect(again.ids()).toEqual(['r17', 'r18', 'r19']);
    await again.close();
  });

  test('leave out what can be no task id, and half a line', async () => {
    const revoked = await openRevokedTasks(dir);
    await revoked.add(['../x', 'two\nlines', '', 'good']);
    await revoked.close();
    await appendFile(join(dir, 'revoked.txt'), 'half-an-');
    const again = await openRevokedTasks(dir);
    expect(again.ids()).toEqual(['good']);
    await again.close();
  });
});
