import fc from 'fast-check';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { sifFileName } from '../../../src/apptainer/image-name.js';

describe('sifFileName', () => {
  it.each([
    // as slicer_cli_web names them
    ['example/slurmy:v1', 'example_slurmy_v1.sif'],
    ['dsarchive/histomicstk:latest', 'dsarchive_histomicstk_latest.sif'],
    ['ghcr.io/a/b/c:1.2', 'ghcr.io_a_b_c_1.2.sif'],
    ['a@sha256:0123', 'a@sha256_0123.sif'],
    // extensions, which slicer_cli_web refuses
    ['ubuntu', 'ubuntu_latest.sif'],
    ['reg:5000/x:v1', 'reg_5000_x_v1.sif'],
    ['a/b:v1@sha256:0123', 'a_b_v1_sha256_0123.sif'],
  ])('%s is %s', (image, file) => {
    expect(sifFileName(image)).toBe(file);
  });

  it.each([
    '',
    '/etc/passwd:x',
    '../x:v1',
    'a/../b:v1',
    'a//b:v1',
    '-x:v1',
    'a b:v1',
    'a:v1\n',
    'é:v1',
    `${'x'.repeat(250)}:v1`,
    'a/.:v1/.',
  ])('refuses %j', (image) => {
    expect(() => sifFileName(image)).toThrow(DsaSlurmError);
  });

  it('is always a single file name', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a./:@_-]{1,20}$/)), (image) => {
        try {
          const file = sifFileName(image);
          expect(basename(join('/sif', file))).toBe(file);
          expect(file.length).toBeLessThan(255);
        } catch (error) {
          expect(error).toBeInstanceOf(DsaSlurmError);
        }
      }),
    );
  });
});
