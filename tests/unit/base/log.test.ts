import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLog, recentProblems, silentLog } from '../../../src/base/log.js';

describe('recentProblems', () => {
  test('keeps warnings and errors with their reason and run, without secrets', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-log-'));
    const log = createLog({ level: 'info', destination: join(dir, 'log') });
    log.info('all is well');
    log.child({ run: 'r1' }).warn({ why: 'it is full', token: 'SECRET' }, 'the disk');
    log.error({ err: new Error('broken') }, 'journal');
    log.warn({ reason: 'channel closed' }, 'remote control');
    expect(recentProblems(log.child({ any: 1 }))).toMatchObject([
      { level: 'warn', text: 'the disk: it is full', run: 'r1' },
      { level: 'error', text: 'journal: broken', run: null },
      { level: 'warn', text: 'remote control: channel closed', run: null },
    ]);
    expect(JSON.stringify(recentProblems(log))).not.toContain('SECRET');
    expect(recentProblems(log)[0]?.at).toBeGreaterThan(0);
  });

  test('is empty for a silent log', () => {
    expect(recentProblems(silentLog())).toEqual([]);
  });
});
