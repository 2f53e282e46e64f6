import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadSettings, type LoadedSettings, type LoadOptions } from '../../../src/config/load.js';
import { ConfigError, type ConfigProblem } from '../../../src/config/config-error.js';

/** A configuration directory that is removed after the test. */
export function temporaryConfigDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'dsa-slurm-config-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Writes a profile directly; an object is written as JSON. */
export function writeProfile(configDir: string, content: unknown, profile = 'default', mode = 0o600): string {
  const path = join(configDir, `${profile}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  chmodSync(path, mode);
  return path;
}

export function load(options: Partial<LoadOptions> = {}): LoadedSettings {
  return loadSettings({
    profile: 'default',
    flags: {},
    env: {},
    configDir: temporaryConfigDir(),
    ...options,
  });
}

/** The problems with which loading fails. */
export function problemsOf(options: Partial<LoadOptions>): readonly ConfigProblem[] {
  try {
    load(options);
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems;
    throw thrown;
  }
  throw new Error('nothing was wrong');
}
