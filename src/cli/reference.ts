import type { Command } from 'commander';
import { commands } from './commands/index.js';
import { exitCodeMeanings, exitCodeNote } from './exit.js';

/** What `--help` says about one command. */
interface CommandHelp {
  /** `dsa-slurm runs list` */
  name: string;
  usage: string;
  description: string;
  terms: readonly { title: string; items: readonly (readonly [term: string, meaning: string])[] }[];
  /** The texts after the options: examples, notes, exit codes. */
  after: string;
}

/** The help of a command that has its options already, and of all below it, outermost first. */
function helpOf(command: Command, parents: readonly string[] = ['dsa-slurm']): CommandHelp[] {
  const help = command.createHelp();
  const name = [...parents, command.name()].join(' ');
  let printed = '';
  command.configureOutput({ writeOut: (text) => (printed += text) });
  command.outputHelp();
  const items = [
    {
      title: 'Arguments',
      items: help
        .visibleArguments(command)
        .map((each) => [help.argumentTerm(each), help.argumentDescription(each)] as const),
    },
    {
      title: 'Options',
      items: help
        .visibleOptions(command)
        // that one is for all commands
        .filter(({ long }) => long !== '--help')
        .map(
          (each) =>
            [help.optionTerm(each), help.optionDescription(each).replace(' (default: false)', '')] as const,
        ),
    },
  ];
  return [
    {
      name,
      usage: help.commandUsage(command),
      description: help.commandDescription(command),
      terms: items.filter((each) => each.items.length > 0),
      after: printed.slice(command.helpInformation().length).trim(),
    },
    ...help
      .visibleCommands(command)
      .filter((each) => each.name() !== 'help')
      .flatMap((each) => helpOf(each, name.split(' '))),
  ];
}

const globalOptions = [
  ['--profile <name>', 'the configuration to use (default: "default")'],
  ['--debug', 'print stack traces of errors'],
  ['-V, --version', 'show the version'],
  ['-h, --help', 'show the help of the program, or of a command'],
] as const;

const about = 'Runs Digital Slide Archive analyses on a Slurm cluster.';

/**
 * The text of docs/commands.md.
 * @param defined every command of the program, with its options
 */
export function commandsPage(defined: readonly Command[]): string {
  const sections = defined
    .flatMap((command) => helpOf(command))
    .map((each) => {
      const level = '#'.repeat(each.name.split(' ').length);
      const lists = each.terms.flatMap(({ title, items }) => [
        `${title}:`,
        '',
        ...items.map(
          ([term, meaning]) => `- \`${term}\`${meaning === '' ? '' : `: ${escapeMarkdown(meaning)}`}`,
        ),
        '',
      ]);
      const after = each.after === '' ? [] : ['```console', ...commented(each.after), '```', ''];
      return [
        `${level} ${each.name}`,
        '',
        '```text',
        each.usage,
        '```',
        '',
        escapeMarkdown(each.description).replaceAll('\n', ' '),
        '',
        ...lists,
        ...after,
      ].join('\n');
    });
  return [
    '# Commands',
    '',
    'This page is generated from the help of the commands by `scripts/generate-docs.mjs`; edit that instead. The same is in the man pages',
    '(`man dsa-slurm`, `man dsa-slurm-runs`, ...).',
    '',
    'Every command accepts:',
    '',
    ...globalOptions.map(([term, meaning]) => `- \`${term}\`: ${meaning}`),
    '',
    '## Exit codes',
    '',
    'They are the same for all commands and stay the same between versions:',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...exitCodeMeanings.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    exitCodeNote,
    '',
    'With `--json`, an error is printed on standard output as `{"error": {"code", "message", "next"}}`. `NO_COLOR` turns off colors.',
    '',
    ...sections,
  ].join('\n');
}

/** Text after the options as lines of a shell: what is not a command line is a comment. */
function commented(after: string): string[] {
  return after
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== 'Examples:')
    .map((line) => (/^#|dsa-slurm /.test(line) && !/^[A-Z][a-z ]+:/.test(line) ? line : `# ${line}`));
}

/** `<name>` would be an HTML tag. */
const escapeMarkdown = (text: string): string =>
  text.replaceAll('<', String.raw`\<`).replaceAll('*', String.raw`\*`);

/**
 * The man pages by file name: `dsa-slurm.1`, and one for each command.
 * @param defined every command of the program, with its options
 */
export function manPages(defined: readonly Command[]): Map<string, string> {
  const pages = new Map<string, string>();
  pages.set(
    'dsa-slurm.1',
    roff('dsa-slurm', 'run Digital Slide Archive analyses on a Slurm cluster', [
      ['SYNOPSIS', ['.B dsa-slurm', '[options] <command>']],
      ['DESCRIPTION', [about]],
      ['COMMANDS', commands.flatMap(({ name, summary }) => term(`dsa-slurm ${name}`, summary))],
      ['OPTIONS', globalOptions.flatMap(([option, meaning]) => term(option, meaning))],
      [
        'EXIT STATUS',
        [
          ...exitCodeMeanings.flatMap(([code, meaning]) => term(String(code), meaning.replaceAll('`', ''))),
          '.PP',
          text(exitCodeNote.replaceAll('`', '')),
        ],
      ],
      ['SEE ALSO', defined.flatMap((command) => term(`dsa-slurm-${command.name()}(1)`, ''))],
    ]),
  );
  for (const command of defined) {
    const name = `dsa-slurm-${command.name()}`;
    const [own, ...below] = helpOf(command);
    if (own === undefined) continue;
    const summary = commands.find((each) => each.name === command.name())?.summary ?? '';
    pages.set(
      `${name}.1`,
      roff(name, summary, [
        [
          'SYNOPSIS',
          below.length === 0
            ? [text(own.usage)]
            : below.flatMap(({ usage }) => [text(usage), '.br']).slice(0, -1),
        ],
        ['DESCRIPTION', bodyOf(own)],
        ...below.map((each) => [each.name.toUpperCase(), bodyOf(each)] as const),
        ['OPTIONS OF ALL COMMANDS', globalOptions.flatMap(([option, meaning]) => term(option, meaning))],
        ['SEE ALSO', [text('dsa-slurm(1)')]],
      ]),
    );
  }
  return pages;
}

function roff(
  name: string,
  summary: string,
  sections: readonly (readonly [string, readonly string[]])[],
): string {
  return [
    '.\\" Generated from the help of the command: npm run docs',
    `.TH ${name.toUpperCase()} 1 "" "dsa-slurm"`,
    '.SH NAME',
    text(`${name} - ${summary}`),
    ...sections.flatMap(([title, lines]) => [`.SH "${title}"`, ...lines]),
    '',
  ].join('\n');
}

function bodyOf({ description, terms, after }: CommandHelp): string[] {
  return [
    ...description.split('\n').map(text),
    ...terms.flatMap(({ title, items }) => [
      `.SS ${title}`,
      ...items.flatMap(([each, meaning]) => term(each, meaning)),
    ]),
    ...(after === ''
      ? []
      : [
          '.SS Examples and notes',
          '.nf',
          ...after
            .replace(/^Examples:\n/, '')
            .split('\n')
            .map(text),
          '.fi',
        ]),
  ];
}

function term(name: string, meaning: string): string[] {
  return ['.TP', `.B ${text(name)}`, ...(meaning === '' ? [] : [text(meaning)])];
}

/** Text in which roff interprets nothing: no escapes, no requests, hyphens that can be pasted. */
function text(line: string): string {
  const escaped = line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('’', "'");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
