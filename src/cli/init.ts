import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { DsaSlurmError, errorLine } from '../base/errors.js';
import { packageFile } from '../base/package-file.js';
import { questions } from '../wizard/questions/index.js';
import { addExamples, type CliContext, type GlobalFlags } from './context.js';
import { untilSignal } from './signals.js';

interface InitFlags {
  answers?: string;
  answer?: Record<string, string>;
  answersStdin: boolean;
  from?: string;
  yes: boolean;
  dryRun: boolean;
  printAnswers: boolean;
  generatePasswords: boolean;
  overwrite: boolean;
  probe: boolean;
  json: boolean;
}

export function define(command: Command, context: CliContext): void {
  command
    .option(
      '--from <dir>',
      'propose what an old site in this directory has (run.sh, worker.*.cfg, compose file)',
    )
    .option('--answers <file>', 'take answers from a YAML or JSON file')
    .option('--answer <key=value>', 'one answer by its key; may be given several times', addPair)
    .option('--answers-stdin', 'take answers, passwords too, from standard input: lines of key=value', false)
    .option('--yes', 'ask nothing: take what is given, and else what would be proposed', false)
    .option('--dry-run', 'show what would be written, and stop', false)
    .option('--print-answers', 'print the answers, without secrets, as a file for the next site', false)
    .option('--generate-passwords', 'with --yes: make up new passwords that nobody gave', false)
    .option('--overwrite', 'with --yes: overwrite files that were changed by hand; a backup stays', false)
    .option('--probe', 'with --yes: have a job look at the directories from the nodes first', false)
    .option('--json', 'with --yes or --dry-run: print the result as JSON', false);
  for (const { flag, about, kind, choices } of questions) {
    if (flag === undefined) continue;
    const value = kind === 'choice' && choices !== undefined ? 'answer' : kind;
    command.option(`${flag} <${value}>`, about.replaceAll('`', ''));
  }
  addExamples(command, [
    ['dsa-slurm init', 'be asked'],
    ['dsa-slurm init --from /opt/dsa/worker', 'come from the Python worker’s run.sh'],
    ['dsa-slurm init --print-answers > site.yaml', 'the answers of this site, for another one'],
    ['dsa-slurm init --answers site.yaml --yes --dry-run', 'what they would write'],
    [
      'pass show rabbitmq | sed s/^/broker.password=/ | dsa-slurm init --answers-stdin --yes',
      'a password from a store',
    ],
  ]);
  command.action(async () => {
    const flags = command.optsWithGlobals<GlobalFlags & InitFlags>();
    const { env, stdin, stdout, stderr } = context;
    const { runInit } = await import('../wizard/run-init.js');
    context.exitCode = await untilSignal(async (signal) =>
      runInit({
        profile: flags.profile,
        env,
        program: packageFile('bin/dsa-slurm'),
        answers: {
          flags: { ...questionFlags(command), ...flags.answer },
          file: flags.answers === undefined ? null : await readAnswers(flags.answers),
          lines: flags.answersStdin ? await readAll(stdin) : null,
        },
        from: flags.from ?? null,
        yes: flags.yes,
        dryRun: flags.dryRun,
        json: flags.json,
        printAnswers: flags.printAnswers,
        generatePasswords: flags.generatePasswords,
        overwrite: flags.overwrite,
        probe: flags.probe,
        stdin,
        stdout,
        stderr,
        signal,
      }),
    );
  });
}

/** The flags that answer one question each, by the question's key. */
function questionFlags(command: Command): Record<string, string> {
  const given: Record<string, string> = {};
  for (const { key, flag } of questions) {
    const option = command.options.find(({ long }) => flag !== undefined && long === flag);
    const value: unknown = option === undefined ? undefined : command.opts()[option.attributeName()];
    if (typeof value === 'string') given[key] = value;
  }
  return given;
}

async function readAnswers(name: string): Promise<{ name: string; text: string }> {
  try {
    return { name, text: await readFile(name, 'utf8') };
  } catch (thrown) {
    throw new DsaSlurmError('usage', `${name} cannot be read: ${errorLine(thrown)}.`, { cause: thrown });
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function addPair(pair: string, before: Record<string, string> | undefined): Record<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError('It must look like slurm.partition=batch.');
  }
  return { ...before, [key]: value };
}
