import { formatAge } from '../../base/text/duration.js';
import { stripVTControlCharacters } from 'node:util';
import { style, table } from '../flow/output.js';
import type { BrokerState, HeldTask } from './celery-workers.js';
import { pythonConsumers, silentConsumers, type DrainProgress } from './drain.js';
import type { MigrationRecord } from './record.js';

/** Tasks of one worker that are listed. */
const maxTasks = 20;

/** The queues, the workers with the tasks that they hold, and what to do next. */
export function statusText(
  state: BrokerState,
  { queues, drained, now }: { queues: readonly string[]; drained: MigrationRecord['drained']; now: number },
): string {
  const lines = [
    style.heading('Queues'),
    table(
      state.queues.map(({ queue, depth }): [string, string] => [
        clean(queue),
        depth === null
          ? 'does not exist'
          : `${count(depth.ready, 'task')} waiting, ${count(depth.consumers, 'consumer')}`,
      ]),
    ),
    '',
    style.heading('Workers'),
  ];
  if (state.workers.length === 0) lines.push(style.dim('  none replied'));
  for (const { node, kind, queues: own, tasks } of state.workers) {
    const was = drained.some((each) => each.node === node);
    const consumes =
      own === null
        ? 'did not say what it consumes'
        : own.length === 0
          ? `consumes nothing${was ? ' (drained)' : ''}`
          : `consumes ${own.map(clean).join(', ')}`;
    lines.push(
      `  ${clean(node)}  ${kind === 'python' ? 'Python' : 'dsa-slurm'}, ${consumes}, ${heldText(tasks)}`,
    );
    for (const task of (tasks ?? []).slice(0, maxTasks)) lines.push(taskText(task, now));
    if (tasks !== null && tasks.length > maxTasks)
      lines.push(style.dim(`      and ${tasks.length - maxTasks} more`));
  }
  const silent = silentConsumers(state);
  if (silent > 0) {
    lines.push(
      `${style.careful} ${count(silent, 'consumer')} did not reply: not Celery, or a worker with --pool=solo that runs a task.`,
    );
  }
  return [...lines, '', nextText(state, queues, silent)].join('\n');
}

function nextText(state: BrokerState, queues: readonly string[], silent: number): string {
  const python = pythonConsumers(state, queues);
  const hasOwn = state.workers.some(
    ({ kind, queues: own }) => kind === 'dsa-slurm' && own?.some((queue) => queues.includes(queue)) === true,
  );
  const isBusy = state.workers.some(({ kind, tasks }) => kind === 'python' && (tasks?.length ?? 0) > 0);
  if (python.length > 0) {
    return hasOwn
      ? 'Both kinds of workers take tasks. Next: dsa-slurm migrate drain'
      : 'The Python worker takes all tasks. Next: start this one (dsa-slurm worker), then dsa-slurm migrate drain';
  }
  if (silent > 0)
    return 'It is not known whether a Python worker takes tasks. Next: dsa-slurm migrate status';
  if (isBusy) {
    return 'The Python worker takes no tasks, and finishes those that it holds. Next: dsa-slurm migrate drain';
  }
  return hasOwn
    ? `${style.good} Only dsa-slurm takes tasks.`
    : 'No worker takes tasks: they wait in the queue. Next: dsa-slurm worker';
}

function heldText(tasks: readonly HeldTask[] | null): string {
  if (tasks === null) return 'did not say what it holds';
  const counted = (['running', 'waiting', 'scheduled'] as const).flatMap((state) => {
    const number = tasks.filter((task) => task.state === state).length;
    return number === 0 ? [] : [`${number} ${state}`];
  });
  return counted.length === 0 ? 'idle' : counted.join(', ');
}

function taskText({ id, name, state, startedAt }: HeldTask, now: number): string {
  const since = startedAt === null ? '' : ` for ${formatAge(now - startedAt)}`;
  return style.dim(`      ${clean(id)}  ${clean(name.split('.').slice(-3).join('.'))}  ${state}${since}`);
}

/** One line about a drain. */
export function progressText({ held, problem }: DrainProgress): string {
  if (problem !== null) return `RabbitMQ did not answer (${clean(problem)}); trying again`;
  return held.map(({ node, tasks }) => `${clean(node)}: ${heldText(tasks)}`).join('; ');
}

/** Tasks of a node that ended, for the operator to look up. */
export function lostText({ node, tasks }: { node: string; tasks: readonly HeldTask[] }): string {
  return [
    `${style.bad} ${clean(node)} ended while it ran ${count(tasks.length, 'task')}. Check their Girder jobs, which may stay RUNNING:`,
    ...tasks.slice(0, maxTasks).map(({ id, name }) => `      ${clean(id)}  ${clean(name)}`),
  ].join('\n');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** Any client of the broker can choose these names. */
function clean(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{FFFD}')
    .slice(0, 200);
}
