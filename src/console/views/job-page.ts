import { shellText } from '../../base/shell-text.js';
import type { RunFile } from '../../worker/run-state/run.js';
import type { JobDetail, RunDetail } from '../../worker/views/live-views.js';
import { detailsOf } from '../data/details.js';
import { age, clockText, count, slurmDuration, took } from './format.js';
import { elapsedSeconds, type Row } from '../state/rows.js';
import { rowStatus } from './row-status.js';
import { jobsShown, pageRow, type ConsoleState } from '../state/state.js';
import { cleanText, wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { factLines, type Fact } from './facts.js';

/** Everything that is known of one row: the run and its way, what was run, then its Slurm job. */
export function jobPageLines(state: ConsoleState, theme: Theme): Line[] {
  const row = pageRow(state);
  if (row === null) {
    return [{ spans: [span(' This row is gone: nobody lists it any more. Esc goes back.', 'muted')] }];
  }
  const status = rowStatus(row);
  const { columns } = state.size;
  const details = detailsOf(state);
  const run = details?.run ?? null;
  return [
    { spans: [span(` ${theme.glyphs[status.glyph]} ${status.word}`, status.tone)] },
    ...reasonLines(row, columns),
    { spans: [] },
    ...factLines('Run', runFacts(row, run, state.now), columns),
    ...(run === null ? [] : timelineLines(run, row, state.now, theme)),
    ...(run === null ? [] : fileLines(run, columns)),
    ...(run === null ? [] : factLines('What is run', commandFacts(run), columns)),
    ...factLines(
      state.snapshot.executor === 'slurm' ? 'Slurm job' : 'Job of this host',
      jobFacts(row, state),
      columns,
    ),
    ...showJobLines(row, details?.job ?? null, state),
  ];
}

/** Why it failed or waits, whole: it may have several sentences. */
function reasonLines({ run }: Row, width: number): Line[] {
  const reason = run?.reason ?? '';
  if (reason === '') return [];
  return reason
    .split('\n')
    .flatMap((line) => wrapWords(cleanText(line), width - 4))
    .map((text) => ({ spans: [span(`   ${text}`)] }));
}

function runFacts({ run }: Row, detail: RunDetail | null, now: number): Fact[] {
  if (run === null) return [];
  const stage = `${run.stage}, for ${age(now - run.stageSince)}`;
  const { task } = detail ?? {};
  return [
    ['id', run.id],
    ['title', run.title],
    ['user', run.user],
    ['image', run.image],
    ['CLI', run.cli],
    ['Girder job', detail?.girderUrl ?? run.girderJobId],
    ['accepted', clockText(run.acceptedAt)],
    ['stage', run.finishedAt === null ? stage : null],
    ['finished', run.finishedAt === null ? null : clockText(run.finishedAt)],
    ['took', run.finishedAt === null ? null : took(run.finishedAt - run.acceptedAt)],
    ['outcome', run.outcome],
    ['job ended', detail?.end],
    ['progress', run.progress === null ? null : `${Math.floor(run.progress * 100)}%`],
    ['message', run.progressMessage],
    ['cancel', run.cancelRequested && run.outcome === null ? 'requested' : null, 'warning'],
    ['canceled by', detail?.canceledBy],
    [
      'task',
      task === undefined ? null : `${task.name} from ${task.queue}${task.redelivered ? ', redelivered' : ''}`,
    ],
    ['not before', task?.eta],
    ['expires', task?.expires],
    ['log file', detail?.logFile],
  ];
}

const barWidth = 24;

/** Each stage with when it began and how long it took, and a bar of its share. */
function timelineLines({ timeline }: RunDetail, { run }: Row, now: number, { glyphs }: Theme): Line[] {
  const stages = timeline.map((entry, index) => {
    const goesOn = index === timeline.length - 1 && run?.finishedAt === null;
    return { ...entry, goesOn, ms: goesOn ? Math.max(0, now - entry.at) : entry.ms };
  });
  const longest = Math.max(1, ...stages.map(({ ms }) => ms));
  const lines = stages.map(({ stage, at, ms, goesOn }): Line => {
    if (stage === 'finished')
      return { spans: [span(`   ${stage.padEnd(16)}`, 'muted'), span(clockText(at).slice(11))] };
    const bar = glyphs.barDone.repeat(Math.ceil((ms / longest) * barWidth));
    return {
      spans: [
        span(`   ${stage.padEnd(16)}`, 'muted'),
        span(`${clockText(at).slice(11)}  ${took(ms).padStart(10)}  `),
        span(bar, goesOn ? 'good' : 'muted'),
        span(goesOn ? ` ${glyphs.ellipsis}` : ''),
      ],
    };
  });
  return [{ spans: [span(' Stages', 'strong')] }, ...lines, { spans: [] }];
}

function fileLines({ inputs, outputs, outputsDone }: RunDetail, width: number): Line[] {
  const done = `, ${count(outputsDone)} of ${count(outputs.length)} uploaded`;
  return [
    ...factLines('Inputs', fileFacts(inputs), width),
    ...factLines(`Outputs${done}`, fileFacts(outputs), width),
  ];
}

function fileFacts(files: readonly RunFile[]): Fact[] {
  return files.map(({ kind, name, girderId }) => [
    kind,
    girderId === null || girderId === name ? name : `${name}  (${girderId})`,
  ]);
}

/** Free of secrets, and quoted so that they can be pasted. */
function commandFacts({ sbatch, container }: RunDetail): Fact[] {
  return [
    ['sbatch', sbatch === null ? null : shellText(sbatch)],
    ['container', container === null ? null : shellText(container)],
  ];
}

function jobFacts(row: Row, state: ConsoleState): Fact[] {
  const { run, job } = row;
  if (job === null) {
    const jobId = run?.jobId ?? null;
    return jobId === null
      ? []
      : [
          ['id', jobId],
          ['state', 'not listed any more'],
        ];
  }
  const elapsed = elapsedSeconds(row, jobsShown(state), state.now);
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

/** What is said when it is asked about this job alone, and when it said so. */
function showJobLines(row: Row, detail: JobDetail | null, { now, size, snapshot }: ConsoleState): Line[] {
  if (row.job === null && (row.run?.jobId ?? null) === null) return [];
  const title =
    snapshot.executor === 'slurm'
      ? 'Everything of scontrol show job'
      : 'Everything that this host knows of it';
  if (detail === null) return [{ spans: [span(` ${title}`, 'strong'), span(': being asked for', 'muted')] }];
  const when = detail.at === null ? 'not known' : `${age(now - detail.at)} ago; r asks anew`;
  return factLines(
    `${title}, ${when}`,
    [['trouble', detail.trouble, 'warning'], ...detail.facts],
    size.columns,
  );
}
