import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { DsaSlurmError, systemCode } from '../base/errors.js';
import { printableJson } from '../base/printable-json.js';
import { addExamples, printLine, type CliContext } from './context.js';
import { exitCodes } from './exit.js';
import { addSetFlag, settingsFor } from './settings-flags.js';

export function define(command: Command, context: CliContext): void {
  command
    .description(
      'Print what this worker would do with a task message, and every reason not to run it.\n' +
        'Nobody is contacted and no command is run.',
    )
    .argument('<file>', 'the message as JSON, or - to read it from standard input')
    .option('--json', 'for a script; the decoded message is under "decoded"', false)
    .option('--show-secrets', 'leave tokens and passwords as they are', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm explain message.json', 'inputs, resources, command lines, outputs'],
    ['dsa-slurm explain - --json < message.json', 'for a script'],
    ['dsa-slurm --profile lab explain message.json', 'as the worker of the profile "lab" would see it'],
  ]);
  command.addHelpText(
    'after',
    [
      '',
      'A message is {"exchange", "routing_key", "properties", "headers", "body"}, with the body as text. What is in',
      'messages/ of the state directory is one for each run that failed or was canceled. What RabbitMQ shows of one',
      '(rabbitmqadmin -f raw_json get queue=celery) is taken too, but does not tell of outputs.',
      `Ends with 0 if it would be run or handed on, ${exitCodes.refused} if not, ${exitCodes.usage} if the file cannot be read.`,
    ].join('\n'),
  );
  command.action(async (file: string) => {
    const { json, showSecrets } = command.opts<{ json: boolean; showSecrets: boolean }>();
    const text = await read(file, context);
    const { settings } = await settingsFor(command, context);
    const { explainFile, renderExplanation } = await import('../worker/explain/index.js');
    const told = await explainFile(text, {
      settings,
      env: context.env,
      now: Date.now(),
      showSecrets,
    });
    if (json) printLine(context.stdout, printableJson(told, 2));
    else {
      const colour = context.stdout.isTTY === true && !context.env['NO_COLOR'];
      context.stdout.write(renderExplanation(told, { colour }));
    }
    if (told.verdict === 'refused') context.exitCode = exitCodes.refused;
  });
}

async function read(file: string, { stdin }: CliContext): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  }
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const why = systemCode(cause) ?? 'unknown reason';
    throw new DsaSlurmError('usage', `The message ${file} cannot be read (${why}).`, { cause });
  }
}
