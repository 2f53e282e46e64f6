import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { errorLine } from '../../base/errors.js';
import { describeFailure } from '../../base/command.js';
import { loadSettings, unitName } from '../../config/index.js';
import type { CheckResult } from '../../doctor/index.js';
import { detachWorker } from '../../worker/open/detach-worker.js';
import { findWorker } from '../../worker/socket/connect.js';
import type { InitAnswers } from '../init-answers.js';
import type { InitContext } from '../init-context.js';
import { indented, style } from './output.js';
import type { Prompter } from './prompter.js';

/** What runs the worker now; null: nothing. */
export type StartedWorker = 'running' | 'service' | 'console' | null;

/**
 * Offers to start the worker. Not for a new archive, whose RabbitMQ is not up yet, and not beside a worker that runs.
 * @throws Stopped on Ctrl-C
 */
export async function offerStart(
  { env, run, profile }: InitContext,
  prompter: Prompter,
  answers: InitAnswers,
  results: readonly CheckResult[],
): Promise<StartedWorker> {
  // the administrator starts a system service
  if (answers.deployment !== null || answers.service === 'system') return null;
  const { settings } = loadSettings({ profile, flags: {}, env });
  const found = await findWorker({ stateDirectory: settings.dirs.state, readOnly: true });
  if (found.kind === 'attached') {
    found.worker.close();
    return 'running';
  }
  const isReady = results.every(({ status }) => status !== 'fail');
  const isUnit = answers.service === 'systemd';
  prompter.print('');
  const reply = await prompter.choose({
    message: 'Start the worker now?',
    choices: [
      { value: 'later', name: 'no, later' },
      {
        value: 'service',
        name: isUnit ? 'yes, as a systemd user service' : 'yes, in the background',
      },
      { value: 'console', name: 'yes, in the console, which it ends with' },
    ],
    proposal: 'later',
    back: false,
    help: indented(
      `A worker takes analyses from the queue at once.${isReady ? '' : ' The doctor found problems: they fail until those are fixed.'}`,
    ),
  });
  if (reply.kind === 'back' || reply.text === 'later') return null;
  if (reply.text === 'console') return 'console';
  try {
    const pid = await prompter.busy('Starting the worker', async () => {
      if (isUnit) {
        for (const args of [['daemon-reload'], ['enable', unitName(profile)]]) {
          const answer = await run('systemctl', ['--user', ...args]);
          if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(describeFailure(answer));
        }
      }
      return (await detachWorker({ profile, settings, flags: [], env })).pid;
    });
    prompter.print(`${style.good} The worker runs, as process ${pid}.`);
    return 'service';
  } catch (thrown) {
    prompter.print(`${style.bad} ${indented(errorLine(thrown)).trimStart()}`);
    return null;
  }
}

/** Opens the console with a worker inside, on this terminal, until it is left. */
export async function openConsole({
  program,
  profile,
  env,
}: Pick<InitContext, 'program' | 'profile' | 'env'>): Promise<void> {
  const child = spawn(program, [`--profile=${profile}`, 'console', '--worker'], {
    env: { ...env },
    stdio: 'inherit',
  });
  await once(child, 'exit');
}
