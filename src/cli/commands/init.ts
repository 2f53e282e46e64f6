import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import type { PresetSources } from '../../wizard/flow/preset-answers.js';
import type { InitOptions } from '../../wizard/init-context.js';
import { questions } from '../../wizard/questions/index.js';
import { collectPair, readAll, addExamples, type CliContext, type GlobalFlags } from '../context.js';
import { untilSignal } from '../signals.js';

interface InitFlags extends WriteFlags {
  from?: string;
  printAnswers: boolean;
  generatePasswords: boolean;
}

/** Options of both commands that write the configuration. */
export interface WriteFlags extends AnswerFlags, GlobalFlags {
  yes: boolean;
  dryRun: boolean;
  json: boolean;
}

/** Values of the options of {@link addAnswerFlags}. */
interface AnswerFlags {
  answers?: string;
  answer?: Record<string, string>;
  answersStdin: boolean;
  overwrite: boolean;
  probe: boolean;
}

export function define(command: Command, context: CliContext): void {
  command
    .option(
      '--from <dir>',
      'propose the values of an existing site in this directory (run.sh, worker.*.cfg, compose file)',
    )
    .option('--yes', 'do not ask: use the given answers, and proposals for the others', false)
    .option('--dry-run', 'show what would be written, without writing it', false)
    .option('--print-answers', 'print an answers file for another site, without secrets', false)
    .option('--generate-passwords', 'with --yes: generate missing passwords of new services', false)
    .option('--json', 'with --yes or --dry-run: print the result as JSON', false);
  addAnswerFlags(command);
  addExamples(command, [
    ['dsa-slurm init', 'answer questions'],
    ['dsa-slurm init --from /opt/dsa/worker', 'propose the values of the Python worker’s run.sh'],
    ['dsa-slurm init --print-answers > site.yaml', 'save the answers of this site for another one'],
    ['dsa-slurm init --answers site.yaml --yes --dry-run', 'show what they would write'],
    [
      'pass show rabbitmq | sed s/^/broker.password=/ | dsa-slurm init --answers-stdin --yes',
      'a password from a password manager',
    ],
  ]);
  command.action(async () => {
    const flags = command.optsWithGlobals<InitFlags>();
    const { runInit } = await import('../../wizard/run-init.js');
    context.exitCode = await untilSignal(async (signal) =>
      runInit({
        ...(await initOptions(command, context, flags)),
        from: flags.from ?? null,
        migration: null,
        printAnswers: flags.printAnswers,
        generatePasswords: flags.generatePasswords,
        signal,
      }),
    );
  });
}

/** Adds the options that answer questions of init. */
export function addAnswerFlags(command: Command): void {
  command
    .option('--answers <file>', 'read answers from a YAML or JSON file')
    .option('--answer <key=value>', 'one answer; may be repeated', collectPair)
    .option(
      '--answers-stdin',
      'read answers, including passwords, from standard input: lines of key=value',
      false,
    )
    .option('--overwrite', 'with --yes: overwrite edited files; backups are kept', false)
    .option('--probe', 'with --yes: first check the directories with a job on the compute nodes', false);
  for (const { flag, about, kind, choices } of questions) {
    if (flag === undefined) continue;
    const value = kind === 'choice' && choices !== undefined ? 'answer' : kind;
    command.option(`${flag} <${value}>`, about.replaceAll('`', ''));
  }
}

/** What `init` and `migrate from` pass on alike. @throws DsaSlurmError `usage` for answers that cannot be read */
export async function initOptions(
  command: Command,
  { env, stdin, stdout, stderr }: CliContext,
  flags: WriteFlags,
): Promise<Omit<InitOptions, 'from' | 'migration' | 'printAnswers' | 'generatePasswords' | 'signal'>> {
  const { profile, yes, dryRun, json, overwrite, probe } = flags;
  const answers = await givenAnswers(command, flags, stdin);
  const program = packageFile('bin/dsa-slurm');
  return { profile, env, program, answers, yes, dryRun, json, overwrite, probe, stdin, stdout, stderr };
}

/** The answers that the options of {@link addAnswerFlags} give. @throws DsaSlurmError `usage` */
async function givenAnswers(
  command: Command,
  { answer, answers, answersStdin }: AnswerFlags,
  stdin: NodeJS.ReadableStream,
): Promise<Omit<PresetSources, 'env'>> {
  return {
    flags: { ...questionFlags(command), ...answer },
    file: answers === undefined ? null : await readAnswers(answers),
    lines: answersStdin ? await readAll(stdin) : null,
  };
}

/** Answers given as flags, by key of the question. */
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
