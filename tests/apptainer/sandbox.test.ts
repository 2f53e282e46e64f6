import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createRunner } from '../../src/base/command.js';
import { prepareRuntime } from '../../src/sandbox/runtime.js';
import { runProgram } from '../support/program.js';
import { openBench } from './support/bench.js';

describe('the sandbox', () => {
  it('runs its twelve analyses with the installed Apptainer', { timeout: 600_000 }, async () => {
    const bench = await openBench();
    const dir = await mkdtemp(join(tmpdir(), 'dsa-sandbox-'));
    try {
      const path = [dirname(bench.apptainer), process.env['PATH']].join(delimiter);
      const args = ['sandbox', '--no-console', '--count', '12', '--dir', join(dir, 'site')];
      const { code, stdout, stderr } = await runProgram(args, { ...process.env, PATH: path });
      expect(code, stdout + stderr).toBe(0);
      expect(stdout).toContain('All 12 analyses ended as planned');
      expect(stdout + stderr).not.toMatch(/Apptainer .*fake/);
    } finally {
      await rm(dir, { recursive: true, force: true });
      await bench.close();
    }
  });

  it('says why the installed Apptainer cannot be used, and that a fake is used', async () => {
    const bench = await openBench({ user: 'root' });
    try {
      const run = createRunner({ env: process.env });
      const path = [dirname(bench.apptainer), process.env['PATH']].join(delimiter);
      const { notices } = await prepareRuntime({ dir: bench.dir, run, path, isRoot: true });
      expect(notices.join('\n')).toMatch(
        /^Apptainer is installed, but could not run the demo image \(ERROR +: Requesting capability set .*a fake/,
      );
    } finally {
      await bench.close();
    }
  });
});
