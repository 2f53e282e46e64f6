import { loadSettings } from '../../config/index.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { allChecks, createRunContext, runChecks, type CheckResult } from '../../doctor/index.js';
import type { RunCommand } from '../../base/command.js';
import { join } from 'node:path';
import { isLocal } from './partial-answers.js';
import { findingText } from '../probe.js';
import { indented, mark } from './output.js';
import type { SiteAnswers } from '../init-answers.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Runs the doctor on what was written. Never throws: a profile that cannot be read is a finding of its own. */
export async function examine(
  answers: SiteAnswers,
  { env, run, signal }: { env: Env; run: RunCommand; signal: AbortSignal },
): Promise<CheckResult[]> {
  try {
    const { settings, origins, path, warnings } = loadSettings({
      profile: answers.profile,
      flags: {},
      env: withoutOurs(env),
    });
    const context = createRunContext({
      profile: answers.profile,
      settings,
      configuration: { path, origins, warnings, problems: [] },
      siteDirectory: answers.deployment?.directory ?? null,
      env,
      run,
    });
    // the worker is not started yet: what it would say is no news
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

/** The names of the wizard's own questions mean nothing to the worker. */
function withoutOurs(env: Env): Env {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('DSA_SLURM_INIT_')));
}

/** How many of each, then what is not well. */
export function checksText(results: readonly CheckResult[]): string {
  const count = (status: CheckResult['status']): number =>
    results.filter((result) => result.status === status).length;
  const wrong = results.filter(({ status }) => status === 'fail' || status === 'warn');
  const summary = [
    `${mark.good} ${count('ok')} well`,
    `${mark.careful} ${count('warn')} to look at`,
    `${mark.bad} ${count('fail')} failed`,
    mark.dim(`${count('skip')} left out`),
  ].join('   ');
  return [
    `  ${summary}`,
    ...wrong.map(({ title, status, evidence, fix }) =>
      findingText({ status, evidence: [`${title}: ${evidence[0] ?? ''}`], ...(fix === null ? {} : { fix }) }),
    ),
  ].join('\n');
}

/** Commands to go on with, and what each is for. */
export function nextCommands(answers: SiteAnswers, written: readonly string[]): [string, string][] {
  const { deployment, profile, service } = answers;
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  const script = written.find((path) => /\/run(-[\w.-]+)?\.sh$/.test(path));
  const unit = `dsa-slurm${profile === 'default' ? '' : `-${profile}`}`;
  return [
    ...(deployment === null
      ? []
      : ([
          [join(deployment.directory, 'start.sh'), 'start the archive'],
          [`less ${join(deployment.directory, '.env')}`, 'the password of its user "admin" is in there'],
        ] satisfies [string, string][])),
    service === 'systemd'
      ? [`systemctl --user enable --now ${unit}`, 'start the worker, now and after each login']
      : [script ?? `dsa-slurm${named} worker`, 'start the worker'],
    ...(service === 'systemd'
      ? [['loginctl enable-linger', 'let it run while you are not logged in'] as [string, string]]
      : []),
    [`dsa-slurm${named} console`, 'or: the worker with a live table of its jobs'],
    [
      `dsa-slurm${named} doctor --deep`,
      isLocal(answers)
        ? 'look again, and with a task that goes all the way'
        : 'look again, and with a job on the nodes',
    ],
  ];
}

export function nextText(commands: readonly (readonly [string, string])[]): string {
  return commands.map(([command, meaning]) => `  ${command}\n${mark.dim(`      ${meaning}`)}`).join('\n');
}

/** What an administrator of RabbitMQ has to do for a user that was made up here. */
export function newUserText({ broker }: SiteAnswers, profilePath: string): string {
  const user = broker.user;
  return [
    indented(`RabbitMQ does not know the user "${user}" yet. On its host:`),
    `    rabbitmqctl add_user ${user}     # asks for the password, see below`,
    `    rabbitmqctl set_permissions -p "${broker.vhost}" ${user} ".*" ".*" ".*"`,
    indented(
      `The password is the one in broker.url of ${profilePath}, which only you can read. Girder needs it as well.`,
    ),
  ].join('\n');
}
