import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sifHeaderBytes } from '../../../../src/apptainer/sif-header.js';
import { judgeImage } from '../../../../src/doctor/checks/images/contents.js';
import { files, judgeFiles } from '../../../../src/doctor/checks/images/files.js';
import { ask, expectFinding, factOf, settingsWith } from '../../../support/doctor.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

describe('images', () => {
  const now = 1e12;
  const sif = { name: 'a_b_v1.sif', size: 1e9, readable: true, expectedSize: 1e9, modifiedAt: 0 };
  it.each([
    ['well', [sif], 'ok', '1 image in /i, 1 GB', null],
    ['none', [], 'warn', 'There are no images', 'dsa-slurm images pull example/small:v1'],
    ['unreadable', [{ ...sif, readable: false }], 'warn', 'cannot read', 'chmod go+r /i/a_b_v1.sif'],
    ['no SIF', [{ ...sif, expectedSize: null, size: 10 }], 'warn', 'is not a SIF (10 B)', 'rm /i/a_b_v1.sif'],
    ['cut short', [{ ...sif, size: 10 }], 'warn', 'truncated: 10 of 1000000000 bytes', 'rm /i/a_b_v1.sif'],
    ['still coming', [{ ...sif, expectedSize: null, modifiedAt: now - 1_000 }], 'ok', '1 image', null],
    [
      'rubble',
      [sif, { ...sif, name: 'x.sif.tmp', expectedSize: null }],
      'warn',
      'Left by interrupted pulls',
      'rm -r /i/x.sif.tmp',
    ],
  ])('files: %s', (_name, list, status, evidence, fix) =>
    expectFinding(judgeFiles('/i', list, now), status, evidence, fix),
  );

  it('may be missing on a new site, where girder.images says how to add the first one', () => {
    expectFinding(judgeFiles('/i', [], now, { asksGirder: true }), 'ok', 'no images in /i yet', null);
  });

  it('recognizes a SIF by its header, and a truncated one', async () => {
    const content = Buffer.alloc(sifHeaderBytes + 72);
    content.write('#!/usr/bin/env run-singularity\n', 0);
    content.write('SIF_MAGIC', 32);
    content.writeBigInt64LE(128n, 112);
    content.writeBigInt64LE(72n, 120);
    await writeFile(join(dir, 'good_v1.sif'), content);
    await writeFile(join(dir, 'half_v1.sif'), content.subarray(0, 150));
    await writeFile(join(dir, 'other_v1.sif'), 'nothing');
    for (const name of ['half_v1.sif', 'other_v1.sif']) await utimes(join(dir, name), 1, 1);
    const context = { settings: settingsWith({ 'dirs.images': dir }) };
    expectFinding(await ask(files, context), 'warn', 'half_v1.sif is truncated: 150 of 200 bytes', 'rm ');
    expectFinding(await ask(files, context), 'warn', 'other_v1.sif is not a SIF', 'rm ');
    expect(await factOf(files, context)).toEqual(['good_v1.sif', 'other_v1.sif']);
  });

  const facts = {
    labels: {},
    workingDirectory: '/opt/x',
    workingDirectoryFrom: 'label' as const,
    entrypoint: ['./docker-entrypoint.sh'],
    entrypointFrom: 'label' as const,
    cmd: [],
    needsGpu: false,
    oci: null,
    inside: null,
  };
  const silent = {
    ...facts,
    workingDirectory: null,
    workingDirectoryFrom: null,
    entrypoint: null,
    entrypointFrom: null,
  };
  it.each([
    ['label', facts, {}, 'ok', 'working directory /opt/x from its label', null],
    ['says nothing', silent, {}, 'fail', 'has no working directory', 'config set apptainer.workingDirectory'],
    [
      'no entry point',
      { ...silent, workingDirectory: '/x' },
      {},
      'fail',
      'has no entry point',
      'config set apptainer.entrypoint',
    ],
    [
      'settings say it',
      silent,
      { 'apptainer.workingDirectory': '/a', 'apptainer.entrypoint': 'x' },
      'ok',
      '/a from the settings',
      null,
    ],
    ['GPU', { ...facts, needsGpu: true }, {}, 'warn', 'needs a GPU', 'config set slurm.gpuPartition gpu'],
    ['GPU with partition', { ...facts, needsGpu: true }, { 'slurm.gpuPartition': 'gpu' }, 'ok', 'GPU', null],
  ])('contents: %s', (_name, seen, flags, status, evidence, fix) =>
    expectFinding(judgeImage('x.sif', seen, settingsWith(flags), 'lab'), status, evidence, fix),
  );
});
