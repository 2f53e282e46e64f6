import { Option, type Command } from 'commander';
import { systemClock } from '../../base/clock.js';
import { printableJson } from '../../base/text/printable-json.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { silentLog } from '../../base/log.js';
import type { Images, PulledImage } from '../../worker/images/open-images.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';
import { untilSignal } from '../signals.js';

const endings = [
  '',
  'Name an image as in Girder (example/small:v1), or by its file (example_small_v1.sif).',
  `Exit code: 0 on success, ${exitCodes.failure} on failure, ${exitCodes.usage} for invalid arguments, ${exitCodes.unknown} if the image does not exist,`,
  `${exitCodes.busy} if an unfinished run uses the image to remove.`,
].join('\n');

const registries = [
  '',
  'Registries:',
  '  With a login:          set APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD.',
  '  HTTP only:             set APPTAINER_NOHTTPS=1.',
  '  Directory for builds:  set APPTAINER_TMPDIR; default /tmp.',
].join('\n');

export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm images list', 'image files and their state'],
    ['dsa-slurm images pull example/small:v1', 'pull, check and register an image'],
    ['dsa-slurm images check', 'start a container of every image and list its CLIs'],
  ]);
  defineList(command.command('list'), context);
  defineInspect(command.command('inspect'), context);
  definePull(command.command('pull'), context);
  defineCheck(command.command('check'), context);
  defineRemove(command.command('remove'), context);
}

function defineList(command: Command, context: CliContext): void {
  command.description('List the image files in dirs.images.').option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm images list', 'all'],
    ['dsa-slurm images list --json | jq -r \'.images[] | select(.state != "complete").file\'', 'broken ones'],
  ]);
  command.addHelpText('after', endings);
  command.action(async () => {
    const images = await imagesFor(command, context);
    const listed = await images.list();
    if (command.opts<{ json: boolean }>().json) {
      const rows = listed.map((image) => ({
        ...image,
        modifiedAt: new Date(image.modifiedAt).toISOString(),
      }));
      return printJson(context, { directory: images.directory, images: rows });
    }
    const { renderImages, size } = await import('../../worker/images/render.js');
    context.stdout.write(renderImages(listed));
    const total = size(listed.reduce((sum, { bytes }) => sum + bytes, 0));
    printLine(context.stderr, `${listed.length} images in ${images.directory}, ${total}.`);
  });
}

function defineInspect(command: Command, context: CliContext): void {
  command
    .description('Print the metadata of an image: working directory, entry point, labels.')
    .argument('<image>')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm images inspect example/small:v1', 'by name'],
    ['dsa-slurm images inspect example_small_v1.sif --json', 'by file, for a script'],
  ]);
  command.addHelpText('after', endings);
  command.action(async (name: string) => {
    const inspected = await (await imagesFor(command, context)).inspect(name);
    if (command.opts<{ json: boolean }>().json) {
      const { facts, ...file } = inspected;
      return printJson(context, { ...file, ...facts });
    }
    const { renderFacts } = await import('../../worker/images/render.js');
    context.stdout.write(renderFacts(inspected));
  });
}

function definePull(command: Command, context: CliContext): void {
  command
    .description(
      'Pull images from their registry into dirs.images, under the names that Girder and the worker expect.\n' +
        'Before an image is installed, its CLIs are listed (--list_cli). With girder.apiKey, it is registered in Girder.',
    )
    .argument('<image...>', 'such as example/small:v1 or registry.example.org:5000/lab/small:v1')
    .addOption(
      new Option('--on <place>', 'pull on this host or in a Slurm job (default: apptainer.pullOn)').choices([
        'host',
        'slurm',
      ]),
    )
    .option('--no-check', 'do not list CLIs; for images that are not made for Slicer CLI Web')
    .option('--no-register', 'do not register the image in Girder')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm images pull dsarchive/histomicstk:latest', 'pull, check and register'],
    [
      'dsa-slurm images pull --on slurm example/large:v2',
      'on a compute node, if the login node must not run pulls',
    ],
    ['APPTAINER_NOHTTPS=1 dsa-slurm images pull localhost:5000/lab/small:v1', 'from a registry without TLS'],
  ]);
  command.addHelpText('after', registries);
  command.addHelpText('after', endings);
  command.action(async (names: string[]) => {
    const { on, check, register, json } = command.opts<{
      on?: 'host' | 'slurm';
      check: boolean;
      register: boolean;
      json: boolean;
    }>();
    const images = await imagesFor(command, context, on);
    await untilSignal(async (signal) => {
      const results: (PulledImage | { image: string; error: string; next: string | null })[] = [];
      for (const image of names) {
        const progress = showProgress(context, image);
        try {
          const pulled = await images.pull(image, { check, register, onOutput: progress.say, signal });
          progress.end();
          results.push(pulled);
          if (!json) printLine(context.stdout, pulledLine(pulled));
        } catch (error) {
          progress.end();
          if (!(error instanceof DsaSlurmError) || signal.aborted) throw error;
          context.exitCode = exitCodes.failure;
          const next = error.next ?? null;
          results.push({ image, error: errorLine(error), next });
          if (!json) printLine(context.stderr, `${error.message}${next === null ? '' : `\n  ${next}`}`);
        }
      }
      if (json) printJson(context, { directory: images.directory, images: results });
    }).catch((error: unknown) => {
      throw isAbort(error)
        ? new DsaSlurmError('image', 'The pull was interrupted; nothing was changed.')
        : error;
    });
  });
}

function pulledLine({ image, file, clis, registered }: PulledImage): string {
  const asked = clis === null ? '' : `; CLIs: ${clis.join(', ')}`;
  return `${image}: pulled as ${file}${asked}${registered === true ? '; registered in Girder' : ''}`;
}

function isAbort(error: unknown): boolean {
  return (
    error === 'SIGINT' ||
    error === 'SIGTERM' ||
    error === 'SIGHUP' ||
    (error as Error | null)?.name === 'AbortError'
  );
}

/** Prints the runtime's output; on a terminal also the elapsed time, in a line that is overwritten. */
function showProgress(
  { stderr }: CliContext,
  image: string,
): { say: (text: string) => void; end: () => void } {
  const startedAt = Date.now();
  const clear = stderr.isTTY === true ? '\r\u001B[K' : '';
  const tick = (): void => {
    stderr.write(`${clear}pulling ${image}: ${Math.round((Date.now() - startedAt) / 1_000)} s`);
  };
  const timer = clear === '' ? undefined : setInterval(tick, 1_000);
  printLine(stderr, `pulling ${image}`);
  return {
    say(text) {
      stderr.write(`${clear}${text.replaceAll(/[^\P{Cc}\n]/gu, '').trimEnd()}\n`);
    },
    end() {
      clearInterval(timer);
      stderr.write(clear);
    },
  };
}

function defineCheck(command: Command, context: CliContext): void {
  command
    .description('Start a container of each image and read its CLIs and their descriptions.')
    .argument('[image...]', 'default: all')
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm images check', 'all images'],
    ['dsa-slurm images check example/small:v1', 'one of them'],
  ]);
  command.addHelpText('after', endings);
  command.action(async (given: string[]) => {
    const images = await imagesFor(command, context);
    const names = given.length > 0 ? given : (await images.list()).map(({ file }) => file);
    const { json } = command.opts<{ json: boolean }>();
    await untilSignal(async (signal) => {
      const results: object[] = [];
      for (const name of names) {
        try {
          const { file, clis } = await images.check(name, signal);
          results.push({ file, ok: true, clis });
          if (!json) printLine(context.stdout, `ok    ${file}: ${clis.join(', ')}`);
        } catch (error) {
          // a missing image is the caller's mistake, not a failed check
          if (!(error instanceof DsaSlurmError) || error.code === 'unknown') throw error;
          context.exitCode = exitCodes.failure;
          results.push({ file: name, ok: false, error: errorLine(error), next: error.next ?? null });
          if (!json) printLine(context.stdout, `FAIL  ${name}: ${errorLine(error)}`);
        }
      }
      if (json) printJson(context, { directory: images.directory, images: results });
    });
  });
}

function defineRemove(command: Command, context: CliContext): void {
  command
    .description(
      'Remove image files. Remove the images in Girder as well, which otherwise still offers them.',
    )
    .argument('<image...>')
    .option('--yes', 'do not ask for confirmation', false)
    .option('--json', 'for a script', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm images remove example/small:v1', 'remove after confirmation'],
    ['dsa-slurm images remove --yes old_v1.sif old_v2.sif', 'for a script'],
  ]);
  command.addHelpText('after', endings);
  command.action(async (names: string[]) => {
    const { yes, json } = command.opts<{ yes: boolean; json: boolean }>();
    const { stdin, stdout, stderr } = context;
    if (!yes && (json || stdin.isTTY !== true || stdout.isTTY !== true)) {
      throw new DsaSlurmError('usage', 'remove asks for confirmation and needs a terminal.', {
        next: 'Add --yes to remove without confirmation.',
      });
    }
    const images = await imagesFor(command, context);
    const found = await images.checkRemovable(names);
    if (!yes) {
      const { size } = await import('../../worker/images/render.js');
      for (const { file, bytes } of found) printLine(stdout, `  ${file}  ${size(bytes)}`);
      const { confirm } = await import('@inquirer/prompts');
      const question = `Remove ${found.length === 1 ? 'this file' : `these ${found.length} files`} from ${images.directory}?`;
      if (!(await confirm({ message: question, default: false }))) {
        printLine(stderr, 'Nothing was removed.');
        return;
      }
    }
    for (const { file } of found) {
      await images.remove(file);
      if (!json) printLine(stdout, `removed ${file}`);
    }
    if (json) printJson(context, { directory: images.directory, removed: found.map(({ file }) => file) });
  });
}

async function imagesFor(command: Command, context: CliContext, pullOn?: 'host' | 'slurm'): Promise<Images> {
  const { settings } = await settingsFor(command, context);
  const { openImages } = await import('../../worker/images/open-images.js');
  const { apptainer } = settings;
  const chosen = pullOn === undefined ? settings : { ...settings, apptainer: { ...apptainer, pullOn } };
  return openImages({ settings: chosen, env: context.env, clock: systemClock, log: silentLog() });
}

function printJson({ stdout }: CliContext, value: unknown): void {
  printLine(stdout, printableJson(value, 2));
}
