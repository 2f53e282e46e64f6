import { formatAge } from '../../../base/text/duration.js';
import type { SchedulerSection } from '../../../slurm/commands/sdiag.js';
import type { ConsoleState } from '../../state/state.js';
import { cellWidth, cleanText, fit, wrapWords } from '../../terminal/text.js';
import { span, type Line } from '../../terminal/theme.js';
import { factLines } from './facts.js';

/** The page with the statistics of Slurm's controller. */
export function schedulerPageLines({ liveViews, snapshot, now, size }: ConsoleState): Line[] {
  if (snapshot.executor === 'local') {
    return [
      { spans: [span(' Jobs run on this host without Slurm, so there are no statistics of it.', 'muted')] },
    ];
  }
  const { sections = [], at = null, problem = null } = liveViews.scheduler ?? {};
  const title = span(' Output of sdiag', 'strong');
  const when =
    at === null
      ? problem === null
        ? ': loading'
        : ''
      : `, ${formatAge(now - at)} ago; times in microseconds`;
  return [
    { spans: [title, span(when, 'muted')] },
    { spans: [] },
    ...(problem === null ? [] : factLines('Slurm', [['error', problem, 'warning']], size.columns)),
    ...sections.flatMap((section) => sectionLines(section, size.columns)),
  ];
}

/** The labels of a section have one width, at most two thirds of the screen. */
function sectionLines({ title, facts }: SchedulerSection, width: number): Line[] {
  const labels = facts.map(([label]) => cleanText(label));
  const labelWidth = Math.min(Math.floor((width * 2) / 3), Math.max(...labels.map(cellWidth)));
  return [
    { spans: [span(` ${cleanText(title)}`, 'strong')] },
    ...facts.flatMap(([, value], index) =>
      wrapWords(cleanText(value) || '-', Math.max(10, width - labelWidth - 6)).map((piece, part) => ({
        spans: [
          span(`   ${fit(part === 0 ? (labels[index] ?? '') : '', labelWidth)}  `, 'muted'),
          span(piece),
        ],
      })),
    ),
    { spans: [] },
  ];
}
