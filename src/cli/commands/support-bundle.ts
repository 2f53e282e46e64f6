import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../base/clock.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';
import { untilSignal } from '../signals.js';

/** `dsa-slurm support-bundle`: one file for somebody who helps. */
export function define(command: Command, context: CliContext): void {
  command
    .description(
      'Write one .tar.gz with settings, logs, the state of the runs, the report of the doctor and the configuration of Slurm, for somebody ' +
        'who helps. Passwords, tokens and keys are masked, and titles and users of runs are left out. The list of files is shown first; ' +
        'nothing is sent.',
    )
    .option('--output <file>', 'where to write it (default: the current directory)')
    .option('--no-doctor', 'leave out the report of the doctor')
    .option('--yes', 'do not ask for confirmation', false)
    .option('--json', 'print the list as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm support-bundle', 'show the list, ask, and write the file'],
    ['dsa-slurm support-bundle --yes --output /tmp/dsa.tar.gz', 'for a script'],
  ]);
  command.action(async () => {
    const flags = command.opts<{
      output?: string;
      /** False with `--no-doctor`, else undefined: commander applies no default to options that are added this late. */
      doctor?: boolean;
      yes: boolean;
      json: boolean;
    }>();
    const { stdin, stdout, stderr, env } = context;
    if (!flags.yes && (flags.json || stdin.isTTY !== true || stdout.isTTY !== true)) {
      throw new DsaSlurmError('usage', 'support-bundle asks for confirmation and needs a terminal.', {
        next: 'Add --yes to write it without confirmation.',
      });
    }
    const loaded = await settingsFor(command, context);
    const { profile } = loaded;
    const { gatherSupportFiles } = await import('../../doctor/support/gather.js');
    const { packFiles } = await import('../../doctor/support/tar.js');
    const report = flags.doctor === false ? null : await examine(loaded, context);
    const files = await gatherSupportFiles({ profile, loaded, env, doctor: report });
    const now = systemClock.now();
    const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
    const name = `dsa-slurm-support-${profile}-${stamp}`;
    const path = resolve(flags.output ?? `${name}.tar.gz`);
    if (!flags.json) {
      for (const { name: each, text } of files)
        printLine(
          stdout,
          `  ${each.padEnd(22)}${Buffer.byteLength(text).toLocaleString('en-US').padStart(12)} bytes`,
        );
      printLine(
        stdout,
        '\nSecrets are masked. Reasons of failures and logs can contain file names: read them before you send the file.',
      );
    }
    if (!flags.yes) {
      const { confirm } = await import('@inquirer/prompts');
      if (!(await confirm({ message: `Write ${path}?`, default: true }))) {
        printLine(stderr, 'Nothing was written.');
        return;
      }
    }
    try {
      await writeFile(path, packFiles(files, name, Math.floor(now / 1_000)), { mode: 0o600, flag: 'wx' });
    } catch (error) {
      throw new DsaSlurmError('files', `${path} cannot be written: ${errorLine(error)}.`, {
        next: 'Choose another file: --output <file>',
        cause: error,
      });
    }
    const list = files.map(({ name: each, text }) => ({ name: each, bytes: Buffer.byteLength(text) }));
    printLine(stdout, flags.json ? printableJson({ path, files: list }, 2) : `Wrote ${path}`);
  });
}

/** The report of the doctor, or the reason why it cannot run. */
async function examine(
  { settings, profile }: Awaited<ReturnType<typeof settingsFor>>,
  { env }: CliContext,
): Promise<unknown> {
  try {
    const doctor = await import('../../doctor/index.js');
    const { checks, catalog } = doctor.selectChecks(doctor.allChecks, { only: [], skip: [] });
    const { configuration } = doctor.loadForDoctor({ profile, env, flags: {} });
    const runContext = doctor.createRunContext({
      profile,
      settings,
      configuration,
      env,
      deep: false,
      siteDirectory: null,
      onWaiting: () => undefined,
    });
    const results = await untilSignal(async (signal) =>
      doctor.runChecks(checks, runContext, { catalog, signal }),
    );
    return { checks: results };
  } catch (error) {
    return { error: errorLine(error) };
  }
}
