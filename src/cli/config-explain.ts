import type { Command } from 'commander';
import { addExamples, printLine, type CliContext } from './context.js';
import { addSetFlag, settingsFor } from './settings-flags.js';
import { printableJson } from '../base/printable-json.js';

/** `dsa-slurm config explain`: what the settings make of an image. */
export function defineExplain(command: Command, context: CliContext): void {
  command
    .description(
      'Print what runs of an image get of Slurm, who says so, and the command lines.\n' +
        "Reads the image's file if it is there, and Girder's settings if girder.apiKey is set.",
    )
    .argument('<image>', 'as Girder names it: example/small:v1')
    .argument('[cli]', 'the CLI in it')
    .option('--gpu', 'as if the task asked for a GPU', false)
    .option('--json', 'as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm config explain example/small:v1', 'which rule matches, and what comes of it'],
    ['dsa-slurm config explain example/small:v1 Segment --gpu --json', 'for a script'],
  ]);
  command.action(async (image: string, cli: string | undefined) => {
    const { gpu, json } = command.opts<{ gpu: boolean; json: boolean }>();
    const { settings } = await settingsFor(command, context);
    const { explainImageHere, renderImageExplanation } = await import('../worker/explain/index.js');
    const told = await explainImageHere({ image, cli: cli ?? '', gpu, settings, env: context.env });
    printLine(context.stdout, json ? printableJson(told, 2) : renderImageExplanation(told));
  });
}
