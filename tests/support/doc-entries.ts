import { existsSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** A file of this repository. */
export const textOf = (file: string): string => readFileSync(new URL(file, root), 'utf8');

/** Whether there is such a file. */
export const isFile = (file: string): boolean => existsSync(new URL(file, root));

/** `- **what**: text`, and below it items that prove it. */
export interface DocEntry {
  /** The heading above it. */
  section: string;
  what: string;
  text: string;
  /** The items below it, without their dashes. */
  proofs: string[];
}

/** The entries of a page. @throws Error if it has a table, or a list item that is not an entry */
export function readEntries(markdown: string): DocEntry[] {
  let section = '';
  const items: { section: string; line: string; proofs: string[] }[] = [];
  for (const line of markdown.split('\n')) {
    const last = items.at(-1);
    if (line.startsWith('|')) throw new Error(`A table, and not a list of entries: ${line}`);
    if (line.startsWith('## ')) section = line.slice(3);
    else if (line.startsWith('- ')) items.push({ section, line: line.slice(2), proofs: [] });
    else if (line.startsWith('  - ')) last?.proofs.push(line.slice(4));
    // further lines of an entry come before its proofs
    else if (line.startsWith('  ') && last !== undefined) last.line += ` ${line.trim()}`;
  }
  return items.map((item) => {
    const { what, text } = /^\*\*(?<what>.+?)\*\*:? *(?<text>.*)$/.exec(item.line)?.groups ?? {};
    if (what === undefined || text === undefined) throw new Error(`No entry: ${item.line}`);
    return { section: item.section, what, text, proofs: item.proofs };
  });
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
