import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { createRunner, type RunCommand } from '../../../src/base/command.js';
import { silentLog } from '../../../src/base/log.js';
import { partitions } from '../../../src/doctor/checks/slurm/partitions.js';
import { start } from '../../../src/doctor/checks/slurm/start.js';
import { version } from '../../../src/doctor/checks/slurm/version.js';
import { startSlurm, type SlurmService } from '../../../src/sandbox/services/slurm.js';
import { pendingSentence } from '../../../src/slurm/pending-reasons.js';
import { refusalCause } from '../../../src/slurm/refusals.js';
import { readClusterInfo } from '../../../src/slurm/site.js';
import { ask } from '../../support/doctor.js';

/** Nothing is hidden from root and SlurmUser, so what it is hidden from must be another user: `nobody`. */
const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
const { failed: cannotBeNobody } = await execa('setpriv', [...asNobody, 'true'], { reject: false });

describe.skipIf(cannotBeNobody)('a user without operator rights', () => {
  let dir: string;
  let slurm: SlurmService;
  let run: RunCommand;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dsa-private-'));
    await chmod(dir, 0o755);
    slurm = await startSlurm({
      dir,
      nodes: 1,
      log: silentLog(),
      env: process.env,
      conf: [
        'PrivateData=accounts,events,jobs,nodes,partitions,reservations,usage,users',
        'PartitionName=staff Nodes=n1 AllowGroups=root',
      ],
    });
    const command = createRunner({ env: { PATH: process.env['PATH'], ...slurm.env } });
    run = async (file, args, options) => command('setpriv', [...asNobody, file, ...args], options);
  });

  afterAll(async () => {
    await slurm.stop();
    await rm(dir, { recursive: true, force: true });
  });

  test('learns from the doctor what PrivateData hides, and that jobs run nevertheless', async () => {
    const facts = { 'slurm.version': await readClusterInfo(run) };
    const release = await ask(version, { run });
    expect(release.status).toBe('ok');
    expect(release.evidence.join('\n')).toMatch(/PrivateData: .* own part of accounts, events, jobs, nodes,/);
    for (const check of [partitions, start]) {
      const found = await ask(check, { run }, facts);
      expect(found).toMatchObject({ status: 'warn', fix: expect.stringContaining('operator rights') });
      expect(found.evidence.join('\n')).toMatch(/permission denied.*\n.*jobs can run nevertheless/);
    }
    const taken = await run('sbatch', ['--test-only', '--output=/dev/null', '--wrap=true'], { cwd: '/' });
    expect(taken).toMatchObject({ kind: 'exited', exitCode: 0 });
  });

  test('is refused by a partition for another group, or waits with that reason', async () => {
    const answer = await run('sbatch', ['--partition=staff', '--output=/dev/null', '--wrap=true'], {
      cwd: '/',
    });
    if (answer.kind !== 'exited') throw new Error(JSON.stringify(answer));
    if (answer.exitCode !== 0) {
      expect(answer.stderr).toContain("User's group not permitted to use this partition");
      expect(refusalCause(answer.stderr, answer.exitCode)).toBe('account');
      return;
    }
    // 24.11 and 26.05 take the job; this user may not see it
    const asOperator = createRunner({ env: { PATH: process.env['PATH'], ...slurm.env } });
    await vi.waitFor(async () => {
      const shown = await asOperator('squeue', ['--noheader', '--format=%r']);
      const reason = shown.kind === 'exited' ? shown.stdout : '';
      expect(pendingSentence(reason)).toBe('its partition is for another group; ask for help');
    }, 30_000);
  });
});
