import { existsSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** A file of this repository. */
export const textOf = (file: string): string => readFileSync(new URL(file, root), 'utf8');

/** Whether there is such a file. */
export const isFile = (file: string): boolean => existsSync(new URL(file, root));

export interface DocRow {
  /** The heading above it. */
  section: string;
  cells: string[];
}

/** The rows of every table in a page, without heads and rules. */
export function readRows(markdown: string): DocRow[] {
  let section = '';
  let isBody = false;
  const rows: DocRow[] = [];
  for (const line of markdown.split('\n')) {
    if (line.startsWith('## ')) section = line.slice(3);
    if (!line.startsWith('|')) isBody = false;
    else if (/^\|[\s|:-]+$/.test(line)) isBody = true;
    else if (isBody) {
      const cells = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      rows.push({ section, cells });
    }
  }
  return rows;
}

/** What stands between backquotes. */
export const quotedIn = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, quoted = '']) => quoted);

/** Whether a test is there that is named by its file below `tests/` and its title: `unit/a.test.ts > does it`. */
export function isTest(named: string): boolean {
  const [file = '', title = ''] = named.split(' > ', 2);
  if (title === '' || !isFile(`tests/${file}`)) return false;
  const source = textOf(`tests/${file}`);
  return ["'", '"'].some((quote) => source.includes(`${quote}${title}${quote}`));
}
