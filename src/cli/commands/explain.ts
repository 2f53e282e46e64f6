import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import { readAll, addExamples, printLine, type CliContext } from '../context.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';

export function define(command: Command, context: CliContext): void {
  command
    .description(
      'Print what this worker would do with a task message, and every reason to reject it.\n' +
        'Does not contact Girder, RabbitMQ or Slurm, and runs no command.',
    )
    .argument('<file>', 'the message as JSON, or - to read it from standard input')
    .option('--json', 'as JSON, with the decoded message as "decoded"', false)
    .option('--show-secrets', 'do not mask tokens and passwords', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm explain message.json', 'inputs, resources, command lines, outputs'],
    ['dsa-slurm explain - --json < message.json', 'for a script'],
    ['dsa-slurm --profile lab explain message.json', 'with the settings of the profile "lab"'],
  ]);
  command.addHelpText(
    'after',
    [
      '',
      'A message is {"exchange", "routing_key", "properties", "headers", "body"}, with the body as text. The directory',
      'messages/ in the state directory contains one for each failed or canceled run. Output of',
      'rabbitmqadmin -f raw_json get queue=celery is accepted as well, but lacks the outputs.',
      `Exit code: 0 if it would be run or forwarded, ${exitCodes.refused} if rejected, ${exitCodes.usage} if the file cannot be read.`,
    ].join('\n'),
  );
  command.action(async (file: string) => {
    const { json, showSecrets } = command.opts<{ json: boolean; showSecrets: boolean }>();
    const text = await read(file, context);
    const { settings } = await settingsFor(command, context);
    const { explainFile, renderExplanation } = await import('../../worker/explain/index.js');
    const explanation = await explainFile(text, {
      settings,
      env: context.env,
      now: Date.now(),
      showSecrets,
    });
    if (json) printLine(context.stdout, printableJson(explanation, 2));
    else {
      const colour = context.stdout.isTTY === true && !context.env['NO_COLOR'];
      context.stdout.write(renderExplanation(explanation, { colour }));
    }
    if (explanation.verdict === 'refused') context.exitCode = exitCodes.refused;
  });
}

async function read(file: string, { stdin }: CliContext): Promise<string> {
  if (file === '-') return readAll(stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const why = systemCode(cause) ?? 'unknown reason';
    throw new DsaSlurmError('usage', `The message ${file} cannot be read (${why}).`, { cause });
  }
}
