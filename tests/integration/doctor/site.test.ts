import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { RunContext } from '../../../src/doctor/check.js';
import {
  allChecks,
  checkById,
  createRunContext,
  renderReport,
  runChecks,
  summaryOf,
} from '../../../src/doctor/index.js';
import { openLab, type Lab } from '../../support/lab.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});

afterAll(async () => lab.close());

function context(changes: Partial<RunContext> = {}, conf = inject('slurmConf')): RunContext {
  return createRunContext({
    profile: 'lab',
    settings: lab.settings,
    env: { PATH: process.env['PATH'], HOME: lab.dir, LANG: 'C.UTF-8', SLURM_CONF: conf },
    ...changes,
  });
}

describe('a healthy site', () => {
  it('fails nothing and takes less than three seconds', async () => {
    const started = performance.now();
    const results = await runChecks(allChecks, context());
    const ms = performance.now() - started;
    console.log(
      renderReport(results, summaryOf(results, ms), { colour: false, unicode: true, verbose: true }),
    );
    expect(results.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(ms).toBeLessThan(3_000);
  });
  it('deep', async () => {
    const started = performance.now();
    const results = await runChecks(
      [checkById('directories.probe'), checkById('celery.round-trip')],
      context({ deep: true }),
    );
    const ms = performance.now() - started;
    console.log(
      renderReport(results, summaryOf(results, ms), { colour: false, unicode: true, verbose: true }),
    );
  });
});
