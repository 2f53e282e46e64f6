/** The part of CHANGELOG.md about one version. */
export interface ChangelogSection {
  version: string;
  /** Paragraphs and list items by the heading above them ("Changed"), each in one line; '' before the first heading. */
  parts: readonly { title: string; items: readonly string[] }[];
}

/** Parses CHANGELOG.md, newest version first. A section of unreleased changes has no version, and is left out. */
export function parseChangelog(text: string): ChangelogSection[] {
  const [, ...sections] = text.split(/^## /m);
  return sections.flatMap((section) => {
    const version = /^v?(\d+\.\d+\.\d+[^\s,)]*)/.exec(section)?.[1];
    if (version === undefined) return [];
    const body = section.slice(section.indexOf('\n') + 1);
    const parts = `### \n${body}`.split(/^### /m).flatMap((part) => {
      const [title = '', ...lines] = part.split('\n');
      const items = lines
        .join('\n')
        .split(/\n(?=- )|\n\s*\n/)
        .map((item) =>
          item
            .replace(/^\s*- /, '')
            .replaceAll(/\s+/g, ' ')
            .trim(),
        )
        .filter((item) => item !== '');
      return items.length === 0 ? [] : [{ title: title.trim(), items }];
    });
    return [{ version, parts }];
  });
}

/** The sections of all versions above the older one, up to the newer one. */
export function sectionsBetween(
  sections: readonly ChangelogSection[],
  one: string,
  other: string,
): ChangelogSection[] {
  const [older, newer] = compareVersions(one, other) <= 0 ? [one, other] : [other, one];
  return sections.filter(
    ({ version }) => compareVersions(version, older) > 0 && compareVersions(version, newer) <= 0,
  );
}

/** Compares versions as Semantic Versioning does: negative if `a` is older. A prerelease is older than its release. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  const numbers = left.numbers.map((number, index) => number - (right.numbers[index] ?? 0));
  const difference = numbers.find((each) => each !== 0) ?? 0;
  if (difference !== 0 || left.prerelease === right.prerelease) return difference;
  if (left.prerelease === '' || right.prerelease === '') return left.prerelease === '' ? 1 : -1;
  return left.prerelease.localeCompare(right.prerelease, 'en', { numeric: true });
}

function parts(version: string): { numbers: number[]; prerelease: string } {
  const [numbers = '', ...prerelease] = (version.split('+')[0] ?? '').split('-');
  return {
    numbers: numbers.split('.').map((part) => Number.parseInt(part, 10) || 0),
    prerelease: prerelease.join('-'),
  };
}
