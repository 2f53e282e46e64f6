import { readdirSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../../src/cli/commands/index.js';
import { definedCommands } from '../../../src/cli/program.js';
import { commandsPage, manPages } from '../../../src/cli/reference.js';
import { textOf } from '../../support/doc-entries.js';

let defined: Awaited<ReturnType<typeof definedCommands>>;

beforeAll(async () => {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  defined = await definedCommands({
    env: {},
    stdin: Readable.from([]),
    stdout: nowhere,
    stderr: nowhere,
    version: '0',
    exitCode: 0,
  });
});

/** The formatter pads tables. */
const unpadded = (page: string): string => page.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');

describe('generated documentation is current (else: npm run docs)', () => {
  it('docs/commands.md', () => {
    expect(unpadded(textOf('docs/commands.md'))).toBe(unpadded(commandsPage(defined)));
  });

  it('the man pages', () => {
    const pages = manPages(defined);
    expect(readdirSync(new URL('../../../man/', import.meta.url)).sort()).toEqual([...pages.keys()].sort());
    for (const [name, text] of pages) expect(textOf(`man/${name}`)).toBe(text);
  });
});

it('there is a man page for each command, and the first one lists all', () => {
  const pages = manPages(defined);
  for (const { name, summary } of commands) {
    expect(pages.get('dsa-slurm.1')).toContain(summary);
    expect(pages.get(`dsa-slurm-${name}.1`)).toContain('.SH "SYNOPSIS"');
  }
});
