import type { Command } from 'commander';
import { systemClock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import { addExamples, printLine, type CliContext } from '../context.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';

/** `dsa-slurm status`: one line and an exit code for Nagios, Icinga and the like. */
export function define(command: Command, context: CliContext): void {
  command
    .description(
      'Print the state of the worker in one line, for Nagios, Icinga and similar monitoring. Takes no lock and asks no service: it reads ' +
        'the status that a running worker writes every ten seconds.',
    )
    .option('--json', 'as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm status', 'OK: 3 runs in flight; RabbitMQ: consuming; Slurm answered 4 s ago'],
    ['dsa-slurm --profile lab status --json', 'for a script'],
  ]);
  command.addHelpText(
    'after',
    '\nExit code, as monitoring plugins have it: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (the state cannot be read).',
  );
  command.action(async () => {
    const { judgeStatus, readServiceStatus, statusCodes } =
      await import('../../worker/runs/service-status.js');
    const { json } = command.opts<{ json: boolean }>();
    let verdict;
    try {
      const { settings } = await settingsFor(command, context);
      verdict = judgeStatus(await readServiceStatus(settings.dirs.state), {
        now: systemClock.now(),
        pollSeconds: settings.slurm.pollSeconds,
        usesSlurm: settings.worker.executor === 'slurm',
      });
    } catch (error) {
      verdict = { level: 'UNKNOWN' as const, text: errorLine(error), status: null, owner: null };
    }
    const { level, text, status, owner } = verdict;
    const perf = status === null ? '' : ` | in_flight=${status.inFlight}`;
    printLine(
      context.stdout,
      json
        ? printableJson({ level, text, worker: owner, status }, 2)
        : `${level}: ${text.replaceAll(/[\p{Cc}\p{Cf}|]+/gu, ' ')}${perf}`,
    );
    context.exitCode = statusCodes[level];
  });
}
