import { loadSettings } from '../../config/index.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { allChecks, createRunContext, runChecks, type CheckResult } from '../../doctor/index.js';
import type { ProbeAnswer } from '../../doctor/probe/probe-job.js';
import { recordProbes } from '../../doctor/probe/probe-record.js';
import { systemClock } from '../../base/clock.js';
import type { RunCommand } from '../../base/command.js';
import { shellWord } from '../../base/text/shell-text.js';
import { join } from 'node:path';
import { isLocal } from './partial-answers.js';
import { findingText } from '../probe.js';
import { indented, style } from './output.js';
import type { InitAnswers } from '../init-answers.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Keeps what the nodes have proved and runs the doctor on the new configuration. Never throws: an unreadable profile is reported as a failed check. */
export async function runDoctor(
  answers: InitAnswers,
  { env, run, signal }: { env: Env; run: RunCommand; signal: AbortSignal },
  probed: readonly ProbeAnswer[],
): Promise<CheckResult[]> {
  try {
    const { settings, origins, path, warnings } = loadSettings({
      profile: answers.profile,
      flags: {},
      env: withoutInitVariables(env),
    });
    const { images, state } = settings.dirs;
    await recordProbes(state, probed, { images, at: systemClock.now() });
    const context = createRunContext({
      profile: answers.profile,
      settings,
      configuration: { path, origins, warnings, problems: [] },
      siteDirectory: answers.deployment?.directory ?? null,
      env,
      run,
    });
    // the worker has not been started yet
    const checks = allChecks.filter(({ group }) => group !== 'celery' && group !== 'worker');
    return await runChecks(checks, context, { signal });
  } catch (thrown) {
    return [
      {
        id: 'configuration.profile',
        group: 'configuration',
        title: 'Profile',
        status: 'fail',
        evidence: [errorLine(thrown)],
        fix: thrown instanceof DsaSlurmError ? (thrown.next ?? null) : null,
        ms: 0,
      },
    ];
  }
}

/** Without init's own variables, which are not settings. */
function withoutInitVariables(env: Env): Env {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('DSA_SLURM_INIT_')));
}

/** A summary, then the warnings and failures. */
export function checksText(results: readonly CheckResult[]): string {
  const count = (status: CheckResult['status']): number =>
    results.filter((result) => result.status === status).length;
  const findings = results.filter(({ status }) => status === 'fail' || status === 'warn');
  const summary = [
    `${style.good} ${count('ok')} passed`,
    `${style.careful} ${count('warn')} ${count('warn') === 1 ? 'warning' : 'warnings'}`,
    `${style.bad} ${count('fail')} failed`,
    style.dim(`${count('skip')} not run`),
  ].join('   ');
  return [
    `  ${summary}`,
    ...findings.map(({ title, status, evidence, fix }) =>
      findingText({ status, evidence: [`${title}: ${evidence[0] ?? ''}`], ...(fix === null ? {} : { fix }) }),
    ),
  ].join('\n');
}

/** Next commands, each with its purpose. */
export function nextCommands(answers: InitAnswers, written: readonly string[]): [string, string][] {
  const { deployment, profile, service } = answers;
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  const script = written.find((path) => /\/run(-[\w.-]+)?\.sh$/.test(path));
  const unit = `dsa-slurm${profile === 'default' ? '' : `-${profile}`}`;
  const systemUnit =
    service === 'system' ? written.find((path) => path.endsWith(`/${unit}.service`)) : undefined;
  return [
    ...(deployment === null
      ? []
      : ([
          [join(deployment.directory, 'start.sh'), 'start the Digital Slide Archive'],
          [`less ${join(deployment.directory, '.env')}`, 'contains the password of the user "admin"'],
        ] satisfies [string, string][])),
    ...(systemUnit === undefined
      ? []
      : ([
          [
            `sudo install -m 0644 ${shellWord(systemUnit)} /etc/systemd/system/${unit}.service`,
            'as an administrator',
          ],
        ] satisfies [string, string][])),
    service === 'systemd'
      ? [`systemctl --user enable --now ${unit}`, 'start the worker now and at each login']
      : service === 'system'
        ? [
            `sudo systemctl daemon-reload && sudo systemctl enable --now ${unit}`,
            'start the worker now and at each boot',
          ]
        : [script ?? `dsa-slurm${named} worker`, 'start the worker'],
    ...(service === 'systemd'
      ? [['loginctl enable-linger', 'keep it running while you are logged out'] as [string, string]]
      : []),
    [`dsa-slurm${named} console`, 'watch the worker and its jobs; starts a worker if none is running'],
    [
      `dsa-slurm${named} doctor --deep`,
      isLocal(answers) ? 'check again, with a test task' : 'check again, with a test job on the nodes',
    ],
  ];
}

/** What works now, and the one command to run next. */
export function closingLine({
  answers: { profile, worker },
  results,
  started,
  commands,
}: {
  answers: Pick<InitAnswers, 'profile' | 'worker'>;
  results: readonly CheckResult[];
  started: 'running' | 'service' | 'console' | null;
  commands: readonly (readonly [string, string])[];
}): string {
  const program = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`}`;
  const failed = results.filter(({ status }) => status === 'fail').length;
  if (failed > 0)
    return `${style.bad} ${failed === 1 ? 'One check' : `${failed} checks`} failed: analyses may fail until that is fixed. Next: ${program} doctor`;
  const where = worker.executor === 'slurm' ? 'on Slurm' : 'on this host';
  switch (started) {
    case 'service':
      return `${style.good} Analyses submitted in Girder run ${where} now. Next: ${program} console`;
    case 'running':
      return `${style.good} The configuration works; the running worker uses it after a restart. Next: ${program} console`;
    case 'console':
      return `${style.good} The configuration works. Opening the console …`;
    case null:
      return `${style.good} The configuration works. Next: ${commands[0]?.[0] ?? `${program} worker`}`;
  }
}

export function nextText(commands: readonly (readonly [string, string])[]): string {
  return commands.map(([command, meaning]) => `  ${command}\n${style.dim(`      ${meaning}`)}`).join('\n');
}

/** How to create the generated user in RabbitMQ. */
export function newUserText({ broker }: InitAnswers, profilePath: string): string {
  const user = broker.user;
  return [
    indented(`Create the user "${user}" in RabbitMQ. On its host:`),
    `    rabbitmqctl add_user ${user}     # asks for the password`,
    `    rabbitmqctl set_permissions -p "${broker.vhost}" ${user} ".*" ".*" ".*"`,
    indented(
      `The password is in broker.url of ${profilePath}, which only you can read. Configure it in Girder as well.`,
    ),
  ].join('\n');
}
