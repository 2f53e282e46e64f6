import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pathInVolume, safeName, uniqueName } from '../../../../src/girder/transfer/file-names.js';

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.string({ unit: fc.constantFrom('.', '/', '\\', '\0', '\n', ' ', 'a', 'é', '😀'), maxLength: 300 }),
);

describe('safeName', () => {
  it.each([
    ['tiny image.txt', 'tiny image.txt'],
    ['Übersicht 切片.svs', 'Übersicht 切片.svs'],
    ['', '_'],
    ['.', '_.'],
    ['..', '_..'],
    ['...', '...'],
    ['../../x', '.._.._x'],
    ['/etc/passwd', '_etc_passwd'],
    ['\\\\host\\x', '__host\\x'],
    ['a\0b\n\u0085', 'a_b__'],
    ['\ud800x', '\ufffdx'],
  ])('%j becomes %j', (name, safe) => {
    expect(safeName(name)).toBe(safe);
  });

  it('keeps both ends of a long name, and keeps long names distinct', () => {
    const one = safeName(`${'ü'.repeat(300)}1.ome.tiff`);
    const two = safeName(`${'ü'.repeat(300)}2.ome.tiff`);
    expect(one).toMatch(/^ü+-[0-9a-f]{12}\.ome\.tiff$/u);
    expect(one).not.toBe(two);
    expect(Buffer.byteLength(one)).toBeGreaterThan(250);
    expect(safeName(`a.${'b'.repeat(300)}`)).toMatch(/^a\.b+-[0-9a-f]{12}$/);
  });

  it('is always one component of at most 255 bytes', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const safe = safeName(name);
        expect(path.dirname(path.join('/volume', safe))).toBe('/volume');
        expect(path.join('/volume', safe)).toBe(`/volume/${safe}`);
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(255);
        expect(safe).not.toMatch(/[\0\n/]/);
        expect(safeName(safe)).toBe(safe);
      }),
    );
  });
});

describe('uniqueName', () => {
  it('distinguishes siblings by a number before the extension', () => {
    const taken = new Set<string>();
    expect(uniqueName(taken, 'a.txt')).toBe('a.txt');
    expect(uniqueName(taken, 'a.txt')).toBe('a (2).txt');
    expect(uniqueName(taken, 'a.txt')).toBe('a (3).txt');
    expect(uniqueName(taken, 'b/c')).toBe('b_c');
    expect(uniqueName(taken, 'b_c')).toBe('b_c (2)');
    expect(uniqueName(taken, 'x'.repeat(255))).toHaveLength(255);
    expect(Buffer.byteLength(uniqueName(taken, 'x'.repeat(255)))).toBeLessThanOrEqual(255);
    expect(taken.size).toBe(7);
  });
});

describe('pathInVolume', () => {
  it.each([
    ['result file.txt', 'result file.txt'],
    ['out/x y.txt', 'out/x y.txt'],
    ['./a//b/', 'a/b'],
    ['a/../b', 'b'],
    ['', '.'],
    ['.', '.'],
    ['..', null],
    ['../../x', null],
    ['a/../../x', null],
    ['/etc/passwd', null],
    ['a\0', null],
    [`dir/${'x'.repeat(256)}`, null],
  ])('%j is %j', (name, relative) => {
    expect(pathInVolume(name)).toBe(relative);
  });

  it('never leaves the volume', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const relative = pathInVolume(name);
        if (relative === null) return;
        const absolute = path.join('/volume', relative);
        expect(absolute === '/volume' || absolute.startsWith('/volume/')).toBe(true);
      }),
    );
  });
});
