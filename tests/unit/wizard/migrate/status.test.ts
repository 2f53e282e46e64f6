import { describe, expect, it } from 'vitest';
import type { BrokerState, CeleryWorker } from '../../../../src/wizard/migrate/celery-workers.js';
import { pythonConsumers, silentConsumers } from '../../../../src/wizard/migrate/drain.js';
import { statusText } from '../../../../src/wizard/migrate/render-status.js';

const python: CeleryWorker = { node: 'celery@old', kind: 'python', queues: ['celery'], tasks: [] };
const own: CeleryWorker = { node: 'celery@new', kind: 'dsa-slurm', queues: ['celery'], tasks: [] };

function state(workers: readonly CeleryWorker[], consumers = workers.length): BrokerState {
  return { workers, queues: [{ queue: 'celery', depth: { queue: 'celery', ready: 3, consumers } }] };
}

const text = (of: BrokerState) => statusText(of, { queues: ['celery'], drained: [], now: 1_800_000_600_000 });

describe('who is drained', () => {
  it('are Python workers of the same queues, and nobody else', () => {
    const local = { ...python, node: 'celery@girder', queues: ['local'] };
    expect(pythonConsumers(state([python, own, local]), ['celery', 'gpu'])).toEqual([
      { node: 'celery@old', queue: 'celery' },
    ]);
  });

  it('is unknown for a worker that did not reply', () => {
    const silent = { ...python, queues: null, tasks: null };
    expect(pythonConsumers(state([silent]), ['celery'])).toEqual([]);
    expect(silentConsumers(state([silent]))).toBe(1);
    expect(silentConsumers(state([own, python], 4))).toBe(2);
  });
});

describe('the status of a migration', () => {
  it('names what each worker holds, and the next command', () => {
    const startedAt = 1_800_000_000_000;
    const task = { id: 'a-1', name: 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run' };
    const busy: CeleryWorker = {
      ...python,
      tasks: [
        { ...task, state: 'running', startedAt },
        { ...task, id: 'a-2', state: 'waiting', startedAt: null },
      ],
    };
    const shown = text(state([busy, own]));
    expect(shown).toContain('3 tasks waiting, 2 consumers');
    expect(shown).toContain('celery@old  Python, consumes celery, 1 running, 1 waiting');
    expect(shown).toContain('a-1  girder_worker_plugin.direct_docker_run.run  running for 10m 00s');
    expect(shown).toContain('Next: dsa-slurm migrate drain');
  });

  it.each([
    ['nobody', state([]), 'No worker takes tasks'],
    ['only this worker', state([own]), 'Only dsa-slurm takes tasks.'],
    ['only the Python worker', state([python]), 'start this one'],
    ['this worker and one that did not reply', state([own], 2), 'It is not known whether a Python worker'],
    [
      'this worker, and a drained one that runs a task',
      state(
        [own, { ...python, queues: [], tasks: [{ id: 'a', name: 'n', state: 'running', startedAt: null }] }],
        1,
      ),
      'finishes those that it holds',
    ],
  ])('says what is next if %s takes tasks', (_, of, expected) => {
    expect(text(of)).toContain(expected);
  });

  it('shows names of strangers without control characters', () => {
    const hostile = { ...python, node: 'x\u001B[2J\u202E', queues: ['q\u0007'] };
    expect(text(state([hostile]))).not.toMatch(/\p{Cf}|\[2J/u);
  });
});
