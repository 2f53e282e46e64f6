import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { saveSettings } from '../../../src/config/save.js';
import { load, temporaryConfigDir, writeProfile } from './support.js';

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

describe('saveSettings', () => {
  it('creates a private directory and file, and leaves no other file', async () => {
    const configDir = join(temporaryConfigDir(), 'new');
    const path = await saveSettings({
      profile: 'lab',
      configDir,
      values: { 'slurm.time': '1:00', 'broker.queues': ['a'] },
    });
    expect(read(path)).toEqual({ slurm: { time: '1:00' }, broker: { queues: ['a'] } });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(configDir).mode & 0o777).toBe(0o700);
    expect(readdirSync(configDir)).toEqual(['lab.json']);
    expect(load({ configDir, profile: 'lab' }).settings.slurm.time).toBe('1:00');
  });

  it('changes only the given settings, and makes the file private', async () => {
    const configDir = temporaryConfigDir();
    const path = writeProfile(
      configDir,
      { $schema: 'x', slurm: { qos: 'a', cpus: 2, mine: 1 } },
      'default',
      0o644,
    );
    await saveSettings({
      profile: 'default',
      configDir,
      values: { 'slurm.qos': 'b', 'slurm.cpus': undefined },
    });
    expect(read(path)).toEqual({ $schema: 'x', slurm: { qos: 'b', mine: 1 } });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['a half-written file', '{"slurm": {"qos"', { 'slurm.qos': 'b' }],
    ['a group that is not an object', '{"slurm": "mine"}', { 'slurm.qos': 'b' }],
    ['a wrong value, though the other is right', '{}', { 'slurm.qos': 'b', 'slurm.cpus': 'many' }],
    ['an unknown key', '{}', { 'slurm.quos': 'b' }],
  ])('rejects %s and writes nothing', async (_, content, values) => {
    const configDir = temporaryConfigDir();
    const path = writeProfile(configDir, content);
    await expect(saveSettings({ profile: 'default', configDir, values })).rejects.toMatchObject({
      code: 'config',
      problems: [{ fix: expect.any(String) }],
    });
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  it('names the file that cannot be written', async () => {
    const configDir = join(writeProfile(temporaryConfigDir(), {}), 'below-a-file');
    await expect(
      saveSettings({ profile: 'default', configDir, values: { 'slurm.qos': 'b' } }),
    ).rejects.toMatchObject({
      message: expect.stringContaining(configDir),
    });
  });
});
