import { formatAge } from '../../../base/text/duration.js';
import type { JobScript } from '../../../worker/views/live-views.js';
import type { ConsoleState } from '../../state/state.js';
import { cleanLogLine, wrapCells } from '../../terminal/text.js';
import { span, type Line } from '../../terminal/theme.js';
import { formatCount } from '../format.js';
import { factLines } from './facts.js';

/** Characters that are cleaned and wrapped at a time. */
const pieceLength = 2_000;

/** Drawn scripts: pages are drawn with every frame, and a script may have thousands of lines. */
const drawn = new WeakMap<readonly string[], { width: number; lines: readonly Line[] }>();

/** The page with the batch script of a job. */
export function scriptPageLines({ jobScript, now, size }: ConsoleState, jobId: string): readonly Line[] {
  const title = ` Batch script of job ${cleanLogLine(jobId)}`;
  if (jobScript?.jobId !== jobId) return [{ spans: [span(title, 'strong'), span(': loading', 'muted')] }];
  const { at, problem, omitted } = jobScript;
  const when = at === null ? '' : `, ${formatAge(now - at)} ago, press r to refresh`;
  return [
    { spans: [span(title, 'strong'), span(when, 'muted')] },
    ...(problem === null ? [] : factLines('Slurm', [['error', problem, 'warning']], size.columns)),
    ...codeLines(jobScript, size.columns),
    ...(omitted === 0
      ? []
      : [{ spans: [span(` The script has ${formatCount(omitted)} more lines.`, 'warning')] }]),
  ];
}

/** The lines with their numbers, wrapped; nothing of them is left out. */
function codeLines({ lines }: JobScript, width: number): readonly Line[] {
  const known = drawn.get(lines);
  if (known?.width === width) return known.lines;
  const room = Math.max(10, width - 9);
  const result = lines.flatMap((line, index) =>
    pieces(line)
      .flatMap((piece) => wrapCells(cleanLogLine(piece), room))
      .map((text, part) => ({
        spans: [span(`${part === 0 ? String(index + 1).padStart(5) : ' '.repeat(5)}  `, 'muted'), span(text)],
      })),
  );
  drawn.set(lines, { width, lines: result });
  return result;
}

/** Control characters except tabs are written as `\x1b`, so that they hide nothing. */
function pieces(line: string): readonly string[] {
  const visible = line.replaceAll(
    /(?!\t)\p{Cc}/gu,
    (one) => `\\x${(one.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
  const count = Math.max(1, Math.ceil(visible.length / pieceLength));
  return Array.from({ length: count }, (_, index) =>
    visible.slice(index * pieceLength, (index + 1) * pieceLength),
  );
}
