import { mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { openRetryMessages, type RetryMessages } from '../../../../src/worker/run-state/retry-messages.js';
import { someTask } from '../../../support/tasks.js';

let state: string;
let now: number;
const hour = 3_600_000;

beforeEach(async () => {
  state = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-messages-')), 'state');
  now = 1_000 * hour;
});

const open = async (maxBytes = 1_000): Promise<RetryMessages> =>
  openRetryMessages(state, { maxMs: 10 * hour, maxBytes, now: () => now, log: silentLog() });
const files = async (): Promise<string[]> => readdir(join(state, 'messages'));
const task = (id: string, body = '[]') => someTask({ id, body, headers: { girder_client_token: 'SECRET' } });

describe('kept messages', () => {
  test('are there again after a restart, for their owner only', async () => {
    await (await open()).keep(task('a'), now + hour);
    const again = await open();
    expect(await again.read('a')).toEqual({ headers: { girder_client_token: 'SECRET' }, body: '[]' });
    expect(await again.read('b')).toBeNull();
    const [file = ''] = await files();
    expect((await stat(join(state, 'messages', file))).mode & 0o777).toBe(0o600);
    expect((await stat(join(state, 'messages'))).mode & 0o777).toBe(0o700);
  });

  test.each([
    ['its tokens have expired', 2, 3],
    ['it is older than the setting allows', 100, 11],
  ])('one is gone once %s', async (_, tokenHours, hours) => {
    const messages = await open();
    await messages.keep(task('a'), now + tokenHours * hour);
    now += hours * hour;
    expect(await messages.read('a')).toBeNull();
    await messages.prune(() => true);
    expect(await files()).toEqual([]);
  });

  test('take no more room than they may: the oldest go first, and what is too large is not kept at all', async () => {
    const messages = await open(300);
    for (const id of ['a', 'b', 'c']) {
      now += 1;
      await messages.keep(task(id, 'x'.repeat(60)), now + hour);
    }
    expect(await messages.read('a')).toBeNull();
    expect(await messages.read('c')).not.toBeNull();
    await messages.keep(task('d', 'x'.repeat(400)), now + hour);
    expect(await messages.read('d')).toBeNull();
    expect(await files()).toHaveLength(2);
  });

  test('go with their runs, and so does what is none of ours', async () => {
    const messages = await open();
    for (const id of ['a', 'b']) await messages.keep(task(id), now + hour);
    await messages.prune((id) => id === 'b');
    expect(await messages.read('a')).toBeNull();
    await writeFile(join(state, 'messages', (await files())[0] ?? ''), '{"headers"');
    await writeFile(join(state, 'messages', '.1_half.json.0a1b2c3d4e5f.tmp'), '{');
    const again = await open();
    expect(await files()).toHaveLength(1);
    expect(await again.read('b')).toBeNull();
  });
});
