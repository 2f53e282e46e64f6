import { age, clockText, count } from '../format.js';
import { allRows, type ConsoleState } from '../state.js';
import type { Line } from '../theme.js';
import { factLines } from './facts.js';

/** How it stands with the worker itself: what it is connected to, what it has in hand, what troubles it. */
export function workerPageLines(state: ConsoleState): Line[] {
  const { snapshot, now, size } = state;
  const { health, jobs } = snapshot;
  const groups = { running: 0, waiting: 0, finished: 0 };
  for (const { group } of allRows(state)) groups[group] += 1;
  const { succeeded, failed, canceled } = health.finished;
  return [
    ...factLines(
      'Worker',
      [
        ['profile', snapshot.profile],
        ['started', `${clockText(health.startedAt)}, ${age(now - health.startedAt)} ago`],
        ['intake', health.intake],
        ['in flight', `${count(health.inFlight)} of at most ${count(health.inFlightLimit)}`],
        ['trouble', health.trouble, 'warning'],
      ],
      size.columns,
    ),
    ...factLines(
      'Broker',
      [
        ['state', `${health.broker.state}, for ${age(now - health.broker.since)}`],
        ['trouble', health.broker.trouble, 'warning'],
      ],
      size.columns,
    ),
    ...factLines(
      'Slurm',
      [
        ['last answer', jobs.at === null ? 'none yet' : `${age(now - jobs.at)} ago`],
        ['jobs in it', count(jobs.rows.length)],
        ['trouble', jobs.trouble, 'warning'],
      ],
      size.columns,
    ),
    ...factLines(
      'Rows',
      [
        ['running', count(groups.running)],
        ['waiting', count(groups.waiting)],
      ],
      size.columns,
    ),
    ...factLines(
      'Finished since the start',
      [
        ['succeeded', count(succeeded)],
        ['failed', count(failed)],
        ['canceled', count(canceled)],
      ],
      size.columns,
    ),
  ];
}
