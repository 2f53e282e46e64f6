import { age, clockText, slurmDuration } from '../format.js';
import { elapsedSeconds, type Row } from '../rows.js';
import { rowStatus } from '../status.js';
import { pageRow, type ConsoleState } from '../state.js';
import { span, type Line, type Theme } from '../theme.js';
import { factLines, type Fact } from './facts.js';

/** Everything that is known of one row: the run, then its Slurm job. */
export function jobPageLines(state: ConsoleState, theme: Theme): Line[] {
  const row = pageRow(state);
  if (row === null) {
    return [
      { spans: [span(' This row is gone: Slurm and the worker have forgotten it. Esc goes back.', 'muted')] },
    ];
  }
  const status = rowStatus(row);
  const { columns } = state.size;
  return [
    {
      spans: [
        span(` ${theme.glyphs[status.glyph]} ${status.word}`, status.tone),
        span(row.run?.reason ? `  ${row.run.reason.split('\n')[0] ?? ''}` : '', 'plain'),
      ],
    },
    { spans: [] },
    ...factLines('Run', runFacts(row, state.now), columns),
    ...factLines('Slurm job', jobFacts(row, state), columns),
  ];
}

function runFacts({ run }: Row, now: number): Fact[] {
  if (run === null) return [];
  const stage = `${run.stage}, for ${age(now - run.stageSince)}`;
  return [
    ['id', run.id],
    ['title', run.title],
    ['user', run.user],
    ['image', run.image],
    ['CLI', run.cli],
    ['Girder job', run.girderJobId],
    ['accepted', clockText(run.acceptedAt)],
    ['stage', run.finishedAt === null ? stage : null],
    ['finished', run.finishedAt === null ? null : clockText(run.finishedAt)],
    ['took', run.finishedAt === null ? null : age(run.finishedAt - run.acceptedAt)],
    ['outcome', run.outcome],
    ['reason', run.reason],
    ['progress', run.progress === null ? null : `${Math.floor(run.progress * 100)}%`],
    ['message', run.progressMessage],
    ['cancel', run.cancelRequested && run.outcome === null ? 'requested' : null, 'warning'],
  ];
}

function jobFacts(row: Row, { snapshot, now }: ConsoleState): Fact[] {
  const { run, job } = row;
  if (job === null) {
    const jobId = run?.jobId ?? null;
    return jobId === null
      ? []
      : [
          ['id', jobId],
          ['state', 'Slurm does not list it any more'],
        ];
  }
  const elapsed = elapsedSeconds(row, snapshot.jobs, now);
  return [
    ['id', job.id],
    ['name', job.name],
    ['user', job.user],
    ['state', [job.state.base, ...job.state.flags].join('+')],
    ['reason', job.reason],
    ['partition', job.partition],
    ['nodes', job.nodes],
    ['cpus', job.cpus],
    ['memory', job.memory],
    ['gres', job.gres],
    ['elapsed', elapsed === null ? null : slurmDuration(elapsed)],
    ['time limit', job.timeLimit === null ? 'none' : slurmDuration(job.timeLimit)],
    ['submitted', job.submittedAt === null ? null : clockText(job.submittedAt)],
    ['started', job.startedAt === null ? null : clockText(job.startedAt)],
    ['expected start', job.expectedStart === null ? null : clockText(job.expectedStart)],
    ['ended', job.endedAt === null ? null : clockText(job.endedAt)],
    ['exit code', job.exitCode === null ? null : `${job.exitCode.code}:${job.exitCode.signal}`],
    ['key', job.key],
  ];
}
