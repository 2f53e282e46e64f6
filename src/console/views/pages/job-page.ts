import { formatAge, formatDuration } from '../../../base/text/duration.js';
import { shellText } from '../../../base/text/shell-text.js';
import type { RunFile } from '../../../worker/run-state/run.js';
import type { JobDetail, RunDetail } from '../../../worker/views/live-views.js';
import { usageTexts } from '../../../worker/views/usage-text.js';
import { openPageDetails } from '../../data/row-details.js';
import { formatDateTime, formatCount } from '../format.js';
import { elapsedSeconds, type Row } from '../../state/rows.js';
import { rowStatus } from '../tables/row-status.js';
import { listedJobs, pageRow, type ConsoleState } from '../../state/state.js';
import { cleanText, wrapWords } from '../../terminal/text.js';
import { span, type Line, type Theme, type Tone } from '../../terminal/theme.js';
import { factLines, type Fact } from './facts.js';

/** The page about a row: the run and its stages, its files and commands, then its job. */
export function jobPageLines(state: ConsoleState, theme: Theme): Line[] {
  const row = pageRow(state);
  if (row === null) {
    return [{ spans: [span(' This row is no longer listed. Press Esc to go back.', 'muted')] }];
  }
  const status = rowStatus(row);
  const { columns } = state.size;
  const details = openPageDetails(state);
  const run = details?.run ?? null;
  return [
    { spans: [span(` ${theme.glyphs[status.glyph]} ${status.word}`, status.tone)] },
    ...reasonLines(row, columns),
    { spans: [] },
    ...factLines('Run', runFacts(row, run, state.now), columns),
    ...(run === null ? [] : timelineLines(run, row, state.now, theme, columns)),
    ...(run === null ? [] : factLines('Used', usageTexts(run.usage, run.requested), columns)),
    ...(run === null ? [] : fileLines(run, columns)),
    ...(run === null ? [] : factLines('Commands', commandFacts(run), columns)),
    ...factLines(
      state.snapshot.executor === 'slurm' ? 'Slurm job' : 'Job on this host',
      jobFacts(row, state),
      columns,
    ),
    ...showJobLines(row, details?.job ?? null, state),
  ];
}

/** The complete reason for failing or waiting. */
function reasonLines(row: Row, width: number): Line[] {
  const reason = row.run?.reason ?? '';
  if (reason === '') return [];
  return reason
    .split('\n')
    .flatMap((line) => wrapWords(cleanText(line), width - 4))
    .map((text) => ({ spans: [span(`   ${text}`, reasonTone(row))] }));
}

/** The reason of a failure stands out. */
export function reasonTone({ run }: Row): Tone {
  return run?.outcome === 'failed' ? 'bad' : 'plain';
}

function runFacts({ run }: Row, detail: RunDetail | null, now: number): Fact[] {
  if (run === null) return [];
  const stage = `${run.stage}, for ${formatAge(now - run.stageSince)}`;
  const { task } = detail ?? {};
  return [
    ['id', run.id],
    ['title', run.title],
    ['user', run.user],
    ['image', run.image],
    ['CLI', run.cli],
    ['Girder job', detail?.girderUrl ?? run.girderJobId],
    ['accepted', formatDateTime(run.acceptedAt)],
    ['stage', run.finishedAt === null ? stage : null],
    ['finished', run.finishedAt === null ? null : formatDateTime(run.finishedAt)],
    ['took', run.finishedAt === null ? null : formatDuration(run.finishedAt - run.acceptedAt)],
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

/** Each stage with its start, its duration and a bar. */
export function timelineLines(
  { timeline }: RunDetail,
  { run }: Row,
  now: number,
  { glyphs }: Theme,
  width: number,
): Line[] {
  const hasStart = width >= 52;
  const barWidth = Math.max(0, Math.min(24, width - (hasStart ? 44 : 34)));
  const stages = timeline.map((entry, index) => {
    const isCurrent = index === timeline.length - 1 && run?.finishedAt === null;
    return { ...entry, isCurrent, ms: isCurrent ? Math.max(0, now - entry.at) : entry.ms };
  });
  const longest = Math.max(1, ...stages.map(({ ms }) => ms));
  const lines = stages.map(({ stage, at, ms, isCurrent }): Line => {
    if (stage === 'finished')
      return { spans: [span(`   ${stage.padEnd(16)}`, 'muted'), span(formatDateTime(at).slice(11))] };
    const bar = glyphs.barDone.repeat(Math.ceil((ms / longest) * barWidth));
    return {
      spans: [
        span(`   ${stage.padEnd(16)}`, 'muted'),
        span(`${hasStart ? `${formatDateTime(at).slice(11)}  ` : ''}${formatDuration(ms).padStart(10)}  `),
        span(bar, isCurrent ? 'good' : 'muted'),
        span(isCurrent ? ` ${glyphs.ellipsis}` : ''),
      ],
    };
  });
  return [{ spans: [span(' Stages', 'strong')] }, ...lines, { spans: [] }];
}

function fileLines({ inputs, outputs, outputsDone }: RunDetail, width: number): Line[] {
  const done = `, ${formatCount(outputsDone)} of ${formatCount(outputs.length)} uploaded`;
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

/** Secrets are masked, arguments quoted for pasting into a shell. */
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
          ['state', 'no longer listed'],
        ];
  }
  const elapsed = elapsedSeconds(row, listedJobs(state), state.now);
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
    ['elapsed', elapsed === null ? null : formatAge(elapsed * 1_000)],
    ['time limit', job.timeLimit === null ? 'none' : formatAge(job.timeLimit * 1_000)],
    ['submitted', job.submittedAt === null ? null : formatDateTime(job.submittedAt)],
    ['started', job.startedAt === null ? null : formatDateTime(job.startedAt)],
    ['expected start', job.expectedStart === null ? null : formatDateTime(job.expectedStart)],
    ['ended', job.endedAt === null ? null : formatDateTime(job.endedAt)],
    ['exit code', job.exitCode === null ? null : `${job.exitCode.code}:${job.exitCode.signal}`],
    ['key', job.key],
  ];
}

/** The output of a query about this job alone, with its age. */
function showJobLines(row: Row, detail: JobDetail | null, { now, size, snapshot }: ConsoleState): Line[] {
  if (row.job === null && (row.run?.jobId ?? null) === null) return [];
  const title = snapshot.executor === 'slurm' ? 'Output of scontrol show job' : 'Process facts';
  if (detail === null) return [{ spans: [span(` ${title}`, 'strong'), span(': loading', 'muted')] }];
  const when = detail.at === null ? 'unknown' : `${formatAge(now - detail.at)} ago, press r to refresh`;
  return factLines(
    `${title}, ${when}`,
    [['error', detail.problem, 'warning'], ...detail.facts],
    size.columns,
  );
}
