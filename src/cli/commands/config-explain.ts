import type { Command } from 'commander';
import { addExamples, printLine, type CliContext } from '../context.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';
import { printableJson } from '../../base/text/printable-json.js';

/** `dsa-slurm config explain`: the resources and command lines of an image under the current settings. */
export function defineExplain(command: Command, context: CliContext): void {
  command
    .description(
      'Print what runs of an image request from Slurm, where each option comes from, and the command lines.\n' +
        "Reads the image file if it exists, and Girder's settings if girder.apiKey is set.",
    )
    .argument('<image>', 'name in Girder, such as example/small:v1')
    .argument('[cli]', 'name of a CLI of the image')
    .option('--gpu', 'as if the task requested a GPU', false)
    .option('--json', 'as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm config explain example/small:v1', 'which rule matches, and the resulting command lines'],
    ['dsa-slurm config explain example/small:v1 Segment --gpu --json', 'for a script'],
  ]);
  command.action(async (image: string, cli: string | undefined) => {
    const { gpu, json } = command.opts<{ gpu: boolean; json: boolean }>();
    const { settings } = await settingsFor(command, context);
    const { explainImageHere, renderImageExplanation } = await import('../../worker/explain/index.js');
    const explanation = await explainImageHere({ image, cli: cli ?? '', gpu, settings, env: context.env });
    printLine(context.stdout, json ? printableJson(explanation, 2) : renderImageExplanation(explanation));
  });
}
