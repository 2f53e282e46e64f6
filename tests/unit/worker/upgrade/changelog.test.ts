import { expect, test } from 'vitest';

import {
  compareVersions,
  parseChangelog,
  sectionsBetween,
} from '../../../../src/worker/upgrade/changelog.js';

const text = `# Changelog

All changes.

## Unreleased

### Added

- Not yet.

## 0.2.0 - 2026-12-01

Upgrade in one step.

### Changed

- **First** entry, which
  continues.
- Second entry.

## 0.1.0

The first release.
`;

test('a changelog is parsed by version, without what is not released', () => {
  expect(parseChangelog(text)).toEqual([
    {
      version: '0.2.0',
      parts: [
        { title: '', items: ['Upgrade in one step.'] },
        { title: 'Changed', items: ['**First** entry, which continues.', 'Second entry.'] },
      ],
    },
    { version: '0.1.0', parts: [{ title: '', items: ['The first release.'] }] },
  ]);
});

test.each([
  ['0.1.0', '0.2.0', ['0.2.0']],
  ['0.2.0', '0.1.0', ['0.2.0']],
  ['0.0.1', '0.2.0', ['0.2.0', '0.1.0']],
  ['0.2.0', '0.2.0', []],
])('between %s and %s', (from, to, expected) => {
  expect(sectionsBetween(parseChangelog(text), from, to).map(({ version }) => version)).toEqual(expected);
});

test('versions are ordered as Semantic Versioning says', () => {
  const ordered = ['0.1.0', '0.2.0-rc.2', '0.2.0-rc.10', '0.2.0', '0.10.0', '1.0.0'];
  expect(ordered.toReversed().toSorted(compareVersions)).toEqual(ordered);
  expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0);
});
