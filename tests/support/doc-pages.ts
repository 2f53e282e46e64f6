import { readdirSync } from 'node:fs';
import { textOf } from './doc-entries.js';

const namesIn = (directory: string): string[] =>
  readdirSync(new URL(`../../${directory}/`, import.meta.url))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${directory}/${name}`);

/** The pages at the root and every page of docs/, by path below the root. */
export const pages: readonly { path: string; text: string }[] = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...namesIn('docs'),
  ...namesIn('docs/adr'),
].map((path) => ({ path, text: textOf(path) }));

const fence = /^( *)```(\w*)\n([^]*?)\n\1```$/gm;

/** The text without its fenced blocks, line numbers kept. */
export const withoutFences = (text: string): string =>
  text.replaceAll(fence, (block) => block.replaceAll(/[^\n]/g, ''));

/** Lines of fenced blocks in a shell's language or none, and of indented blocks. */
export function blockLines(text: string): string[] {
  const fenced = [...text.matchAll(fence)]
    .filter(([, , language = '']) => language === 'sh' || language === '')
    .flatMap(([, , , block = '']) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
  const indented = withoutFences(text)
    .split('\n')
    .filter((line) => line.startsWith('    '));
  return [...fenced, ...indented].map((line) => line.trim());
}

/** The same, and pieces of inline code. */
export function codeIn(text: string): string[] {
  const inline = [...withoutFences(text).matchAll(/`([^`]+)`/g)].map(([, code = '']) =>
    code.replaceAll(/\s+/g, ' ').trim(),
  );
  return [...blockLines(text), ...inline];
}

/** The command lines in a piece of shell that start a program, each as words after its name. */
export function commandLines(line: string, program: string): string[][] {
  return shellWords(line)
    .map((words) => words.slice(words.findIndex((word) => !/^\w+=/.test(word))))
    .filter(([first]) => first === program)
    .map((words) => words.slice(1));
}

/** Splits a shell line into simple commands and these into words; comments and redirections are left out. */
export function shellWords(line: string): string[][] {
  const commands: string[][] = [[]];
  const token =
    /\s+|#.*$|(\|\||&&|[|;&]|\$\()|\d?>{1,2}\s*\S+|((?:"[^"]*"|'[^']*'|<[^>]*>|[^\s"'|;&>])+)|./gm;
  let isWordStart = true;
  for (const [text, operator, word] of line.matchAll(token)) {
    if (operator !== undefined) commands.push([]);
    else if (word !== undefined && !(text.startsWith('#') && isWordStart)) {
      commands.at(-1)?.push(word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'));
    } else if (text.startsWith('#')) break;
    isWordStart = /^\s/.test(text);
  }
  return commands.filter((words) => words.length > 0);
}

/** The anchors of a page, as forges make them of headings, and those that it sets itself. */
export function anchorsOf(text: string): Set<string> {
  const found = new Set<string>();
  const rest = withoutFences(text);
  for (const [, heading = ''] of rest.matchAll(/^#{1,6} (.*)$/gm)) {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let unique = slug;
    for (let n = 1; found.has(unique); n += 1) unique = `${slug}-${n}`;
    found.add(unique);
  }
  for (const [, id = ''] of rest.matchAll(/<a id="([^"]+)">/g)) found.add(id);
  return found;
}
