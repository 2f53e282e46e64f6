import { formatAge } from '../../../base/text/duration.js';
import type { AccountedJob } from '../../../slurm/commands/sacct.js';
import type { ConsoleState } from '../../state/state.js';
import { cleanText, fit } from '../../terminal/text.js';
import { span, type Line, type Theme } from '../../terminal/theme.js';
import { formatCount, formatDateTime, pluralize } from '../format.js';
import { jobStatus } from '../tables/row-status.js';
import { factLines } from './facts.js';

/** The page with the user's jobs of the last day in Slurm's accounting database. */
export function accountingPageLines({ liveViews, snapshot, now, size }: ConsoleState, theme: Theme): Line[] {
  if (snapshot.executor === 'local') {
    return [{ spans: [span(' Jobs run on this host without Slurm, so there is no accounting.', 'muted')] }];
  }
  const { jobs = [], omitted = 0, isKept = null, at = null, problem = null } = liveViews.accounting ?? {};
  const errors = problem === null ? [] : factLines('Slurm', [['error', problem, 'warning']], size.columns);
  if (at === null) {
    return problem === null ? [{ spans: [span(' Querying sacct.', 'muted')] }] : errors;
  }
  if (isKept === false) {
    const none = ' This site keeps no accounting, or sacct is not installed here: no history of other jobs.';
    return [{ spans: [span(none, 'muted')] }, ...errors];
  }
  const listed = `${pluralize(jobs.length + omitted, 'job')} of the last day`;
  const rest = omitted === 0 ? '' : `, ${formatCount(omitted)} not listed`;
  return [
    { spans: [span(` ${listed}`, 'strong'), span(`${rest}, ${formatAge(now - at)} ago`, 'muted')] },
    { spans: [] },
    ...errors,
    ...(jobs.length === 0 ? [] : [headingLine(size.columns)]),
    ...jobs.map((job) => jobLine(job, size.columns, theme)),
  ];
}

const widths = { job: 11, state: 15, exit: 5, submitted: 16, elapsed: 10 } as const;

function nameWidth(columns: number): number {
  return Math.max(8, columns - Object.values(widths).reduce((sum, one) => sum + one + 1, 3));
}

function headingLine(columns: number): Line {
  const { job, state, exit, submitted, elapsed } = widths;
  const cells = [
    fit('JOB', job),
    fit('STATE', state),
    fit('EXIT', exit),
    fit('SUBMITTED', submitted),
    fit('RAN', elapsed, 'right'),
    fit('NAME', nameWidth(columns)),
  ];
  return { spans: [span(` ${cells.join(' ')}`, 'muted')] };
}

function jobLine(job: AccountedJob, columns: number, { glyphs }: Theme): Line {
  const { glyph, word, tone } = jobStatus(job.state);
  const { exitCode: exit, submittedAt, startedAt, endedAt } = job;
  const ran = startedAt === null || endedAt === null ? '' : formatAge(endedAt - startedAt);
  const before = `${fit(exit === null ? '' : `${exit.code}:${exit.signal}`, widths.exit)} `;
  const after = [
    fit(submittedAt === null ? '' : formatDateTime(submittedAt).slice(0, 16), widths.submitted),
    fit(ran, widths.elapsed, 'right'),
    fit(cleanText(job.name), nameWidth(columns), 'left', glyphs.ellipsis),
  ];
  return {
    spans: [
      span(` ${fit(job.id, widths.job)} `),
      span(`${fit(`${glyphs[glyph]} ${cleanText(word)}`, widths.state, 'left', glyphs.ellipsis)} `, tone),
      span(before, exit?.code === 0 && exit.signal === 0 ? 'muted' : 'plain'),
      span(after.join(' ')),
    ],
  };
}
