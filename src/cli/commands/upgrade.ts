import type { Command } from 'commander';
import { createRunner } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';

/** `dsa-slurm upgrade --check`: whether the installed version can replace the running worker. */
export function define(command: Command, context: CliContext): void {
  command
    .description(
      'Check whether this version can replace the running worker: both versions, the format of the journal, runs in flight, what the ' +
        'changelog says in between, and the next command. Changes nothing, and uses the network only with --registry.',
    )
    .option('--check', 'check only; required, because this command installs nothing', false)
    .option('--registry', 'also ask the npm registry for the newest version, with npm', false)
    .option('--json', 'as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm upgrade --check', 'after an installation, before the restart'],
    ['dsa-slurm upgrade --check && systemctl --user restart dsa-slurm', 'restart only if that is safe'],
    ['dsa-slurm upgrade --check --registry --json', 'for a script: is there a newer version?'],
  ]);
  command.addHelpText(
    'after',
    '\nExit code: 0 if this version can take over (also if there is nothing to do), 1 if it would refuse the journal, 2 if it does not accept the configuration.',
  );
  command.action(async () => {
    const { check, registry, json } = command.opts<{ check: boolean; registry: boolean; json: boolean }>();
    if (!check) {
      throw new DsaSlurmError('usage', 'dsa-slurm does not install itself.', {
        next: 'Install the new version as the old one was installed (docs/upgrade.md), then: dsa-slurm upgrade --check',
      });
    }
    const { settings, profile } = await settingsFor(command, context);
    const { checkUpgrade } = await import('../../worker/upgrade/check-upgrade.js');
    const { env, version, stdout } = context;
    const found = await checkUpgrade({
      profile,
      stateDirectory: settings.dirs.state,
      env,
      version,
      registry: registry ? createRunner({ env }) : null,
    });
    if (json) {
      printLine(stdout, printableJson(found, 2));
    } else {
      const { renderUpgrade } = await import('../../worker/upgrade/render-upgrade.js');
      printLine(stdout, renderUpgrade(found));
    }
    context.exitCode = found.restart.safe ? exitCodes.ok : exitCodes.failure;
  });
}
