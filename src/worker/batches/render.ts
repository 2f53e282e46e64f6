import { formatAge } from '../../base/text/duration.js';
import { csvText } from '../../base/text/csv.js';
import { oneLine } from '../../base/text/one-line.js';
import { formatMemory } from '../../slurm/requested.js';
import type { BatchRun } from './batch-run.js';
import type { Batch, Spread } from './summary.js';

/** Maximum width of a column. */
const maxWidth = 40;
const shortId = 8;

/** Said wherever batches are shown. */
export const inferredSentence =
  'Girder does not mark batches: runs of one user, image and CLI with the same arguments but for the inputs, started close together, are shown as one.';

/** The table of `dsa-slurm batches list`, one line per batch. */
export function renderBatches(batches: readonly Batch[], now: number): string {
  const head = [
    'BATCH',
    'ANALYSIS',
    'USER',
    'STARTED',
    'DONE',
    'FAILED',
    'RUNNING',
    'WAITING',
    'AN HOUR',
    'ENDS',
    'TIME',
    'MEMORY',
  ];
  const rows = batches.map((batch) => [
    batch.id.slice(0, shortId),
    batch.title ?? (batch.cli || batch.image),
    batch.user ?? '-',
    `${formatAge(now - batch.firstAt)} ago`,
    `${batch.done}/${batch.total}`,
    count(batch.failed),
    count(batch.running),
    count(batch.waiting),
    batch.slidesPerHour === null ? '-' : rateText(batch.slidesPerHour),
    endText(batch, now),
    timeText(batch.time) ?? '-',
    memoryText(batch) ?? '-',
  ]);
  const cells = [head, ...rows].map((row) => row.map(oneLine));
  const widths = head.map((_, column) =>
    Math.min(maxWidth, Math.max(...cells.map((row) => (row[column] ?? '').length))),
  );
  return cells
    .map((row) => row.map((cell, column) => cut(cell).padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** The lines below the table. */
export function renderBatchSource(shown: number, damagedLines: number): string {
  const damage = damagedLines === 0 ? '' : ` ${damagedLines} lines of the journal cannot be read.`;
  return `${shown} ${shown === 1 ? 'batch' : 'batches'}, inferred. ${inferredSentence}${damage}\n`;
}

/** Everything about one batch, as `dsa-slurm batches show` prints it. */
export function renderBatch(batch: Batch, now: number): string {
  const pairs: [string, string | null][] = [
    ['batch', `${batch.id} (inferred)`],
    ['title', batch.title],
    ['analysis', batch.cli],
    ['image', batch.image],
    ['user', batch.user],
    ['started', `${new Date(batch.firstAt).toISOString()}, ${formatAge(now - batch.firstAt)} ago`],
    [
      'slides',
      `${batch.done} of ${batch.total} done: ${batch.succeeded} succeeded, ${batch.failed} failed, ${batch.canceled} canceled`,
    ],
    ['left', batch.unfinished.length === 0 ? null : `${batch.running} running, ${batch.waiting} waiting`],
    ['rate', batch.slidesPerHour === null ? null : `${rateText(batch.slidesPerHour)} slides an hour`],
    [
      batch.endedAt === null ? 'ends' : 'ended',
      batch.endedAt === null && batch.expectedEnd === null ? null : endText(batch, now),
    ],
    ['time', spreadText(timeText(batch.time), batch.time)],
    ['memory', spreadText(memoryText(batch), batch.memory)],
  ];
  const lines = pairs.flatMap(([label, text]) =>
    text === null ? [] : [`${label.padEnd(14)}${oneLine(text)}`],
  );
  for (const [index, { count: number, reason, suggestion, runs }] of batch.failures.entries()) {
    lines.push(`${(index === 0 ? 'failures' : '').padEnd(14)}${number} x ${oneLine(reason)}`);
    if (suggestion !== null) lines.push(`${' '.repeat(14)}    ${suggestion}`);
    const shown = runs.slice(0, 4).map((id) => id.slice(0, shortId));
    lines.push(`${' '.repeat(14)}    runs ${shown.join(', ')}${runs.length > shown.length ? ', …' : ''}`);
  }
  const id = batch.id.slice(0, shortId);
  const next = [
    ...(batch.unfinished.length > 0 ? [`dsa-slurm batches cancel ${id}`] : []),
    ...(batch.failed > 0 ? [`dsa-slurm batches retry ${id}`, `dsa-slurm batches failures ${id} --csv`] : []),
  ];
  for (const [index, command] of next.entries())
    lines.push(`${(index === 0 ? 'next' : '').padEnd(14)}${command}`);
  return `${lines.join('\n')}\n`;
}

/** A failed run of a batch, for a script or a spreadsheet. */
export interface FailedRun {
  run: string;
  girderJob: string | null;
  job: string | null;
  title: string | null;
  inputs: readonly string[];
  reason: string;
  /** Bytes. */
  memoryUsed: number | null;
  memoryRequested: number | null;
  seconds: number | null;
}

/** The failed runs of a batch, grouped by reason. */
export function failedRuns(batch: Batch, runs: ReadonlyMap<string, BatchRun>): FailedRun[] {
  return batch.failures.flatMap(({ runs: ids }) =>
    ids.flatMap((id): FailedRun[] => {
      const run = runs.get(id);
      if (run === undefined) return [];
      return [
        {
          run: id,
          girderJob: run.girderJobId,
          job: run.jobId,
          title: run.title,
          inputs: run.inputs,
          reason: run.cause?.text ?? '',
          memoryUsed: run.usage?.memoryBytes ?? null,
          memoryRequested: run.requested?.memoryBytes ?? null,
          seconds: run.runMs === null ? null : Math.round(run.runMs / 1_000),
        },
      ];
    }),
  );
}

/** These as CSV, with a header. */
export function failuresCsv(failed: readonly FailedRun[]): string {
  const head = [
    'run',
    'girder_job',
    'slurm_job',
    'title',
    'inputs',
    'reason',
    'memory_used',
    'memory_requested',
    'seconds',
  ];
  return csvText([
    head,
    ...failed.map(({ inputs, ...rest }) =>
      [
        rest.run,
        rest.girderJob,
        rest.job,
        rest.title,
        inputs.join('; '),
        rest.reason,
        rest.memoryUsed,
        rest.memoryRequested,
        rest.seconds,
      ].map((cell) => cell ?? ''),
    ),
  ]);
}

/** `310`, `4.2` */
export function rateText(slidesPerHour: number): string {
  return slidesPerHour < 10 ? slidesPerHour.toFixed(1) : Math.round(slidesPerHour).toLocaleString('en-US');
}

/** `in 2h04`, or how long ago it ended; `-` if that is unknown. */
export function endText(
  { endedAt, expectedEnd }: Pick<Batch, 'endedAt' | 'expectedEnd'>,
  now: number,
): string {
  if (endedAt !== null) return `${formatAge(now - endedAt)} ago`;
  return expectedEnd === null ? '-' : `in ${formatAge(expectedEnd - now)}`;
}

/** Median and worst: `4m, 31m`; null without data. */
export function timeText(time: Spread | null): string | null {
  return time === null ? null : `${formatAge(time.median)}, ${formatAge(time.worst)}`;
}

/** Median and worst, and what was requested: `2.1G, 3.9G of 4G`; null without data. */
export function memoryText({
  memory,
  requestedMemory,
}: Pick<Batch, 'memory' | 'requestedMemory'>): string | null {
  if (memory === null) return null;
  const used = `${formatMemory(memory.median)}, ${formatMemory(memory.worst)}`;
  return requestedMemory === null ? used : `${used} of ${formatMemory(requestedMemory)}`;
}

function spreadText(text: string | null, spread: Spread | null): string | null {
  return text === null || spread === null ? null : `${text} (median and worst of ${spread.count} slides)`;
}

function count(number: number): string {
  return number === 0 ? '-' : String(number);
}

function cut(text: string): string {
  return text.length > maxWidth ? `${text.slice(0, maxWidth - 1)}…` : text;
}
