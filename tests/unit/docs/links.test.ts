import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { anchorsOf, pages, withoutFences } from '../../support/doc-pages.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const anchors = new Map(pages.map(({ path, text }) => [path, anchorsOf(text)]));

/** What is wrong with a link of a page; null if nothing is. */
function problemOf(page: string, link: string): string | null {
  if (/^https?:/.test(link)) return null;
  const [target = '', anchor] = link.split('#');
  const path = target === '' ? page : normalize(join(dirname(page), target));
  if (path.startsWith('..') || !existsSync(join(root, path))) return `no file ${path}`;
  if (anchor === undefined) return null;
  const known = anchors.get(path);
  if (known === undefined) return `${path} is not a page with anchors`;
  return known.has(anchor) ? null : `${path} has no anchor #${anchor}`;
}

describe('links', () => {
  test.each(pages)('of $path lead somewhere', ({ path, text }) => {
    const links = [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const broken = links.flatMap((link) => problemOf(path, link) ?? []);
    expect(broken).toEqual([]);
  });

  test('there are many, and those that lead nowhere are noticed', () => {
    const count = pages.reduce((sum, { text }) => sum + (text.match(/\]\(/g)?.length ?? 0), 0);
    expect(count).toBeGreaterThan(60);
    expect(problemOf('docs/README.md', '../README.md#install')).toBeNull();
    expect(problemOf('docs/README.md', '../README.md#instal')).toBe('README.md has no anchor #instal');
    expect(problemOf('docs/README.md', 'README.md#install')).not.toBeNull();
    expect(problemOf('docs/README.md', 'nothing.md')).toBe('no file docs/nothing.md');
  });

  test('name files of src/ and tests/ that are there', () => {
    const missing = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/(?<![\w/])((?:src|tests|templates|scripts)\/[\w./-]*\w\/?)/g)]
        .map(([, file = '']) => file)
        .filter((file) => !existsSync(join(root, file)))
        .map((file) => `${path}: ${file}`),
    );
    expect(missing).toEqual([]);
  });

  test('lead to every page from the index or the README', () => {
    const index = pages
      .filter(({ path }) => ['README.md', 'docs/README.md', 'docs/adr/README.md'].includes(path))
      .map(({ text }) => text)
      .join('\n');
    const unlisted = pages.filter(
      ({ path }) =>
        path.startsWith('docs/') &&
        path !== 'docs/README.md' &&
        !index.includes(path.replace(/^docs\/(adr\/)?/, '')),
    );
    expect(unlisted.map(({ path }) => path)).toEqual([]);
  });
});
