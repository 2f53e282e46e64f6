import { shellWord } from '../../base/text/shell-text.js';
import { originText, type Resource } from '../job-request/resources.js';
import type { Explanation } from './explanation.js';

/** Default width of terminals. */
const width = 80;

const verdicts: Readonly<Record<Explanation['verdict'], { sentence: string; paintedAs: string }>> = {
  run: { sentence: 'It would be run.', paintedAs: '32' },
  refused: { sentence: 'It would not be run.', paintedAs: '31' },
  handedOn: { sentence: 'It would be forwarded to the queue of broker.forwardQueue.', paintedAs: '33' },
  answered: { sentence: "It is the doctor's question, and would be answered at once.", paintedAs: '32' },
};

/** An explanation as text of 80 columns; only long words without spaces exceed them. */
export function renderExplanation(told: Explanation, { colour }: { colour: boolean }): string {
  const paint = (text: string, code: string): string => (colour ? `\u001B[${code}m${text}\u001B[0m` : text);
  const lines: string[] = [];
  const section = (title: string, content: readonly string[]): void => {
    if (content.length > 0) lines.push('', paint(title, '1'), ...content.map(printable));
  };
  const { sentence, paintedAs } = verdicts[told.verdict];
  lines.push(paint(sentence, paintedAs));
  for (const { message, next } of told.reasons) {
    lines.push(...wrapped(message, '- ', '  '), ...(next === null ? [] : wrapped(next, '  ', '  ')));
  }
  const { task, girderJob, image, container } = told;
  section('Task', [
    ...(task === null
      ? []
      : pairs([
          ['name', task.name],
          ['id', task.id],
          ['queue', task.queue],
          ['not before', task.eta],
          ['expires', task.expires],
          ['result', task.ignoreResult || task.replyTo === null ? null : `to ${task.replyTo}`],
        ])),
    ...pairs([['Girder job', girderJob === null ? 'none' : `${girderJob.id} ${girderJob.url}`]]),
  ]);
  if (image !== null) {
    section(
      'Image',
      pairs([
        ['name', image.name],
        ['file', `${image.sif ?? '?'}${image.present ? '' : ' (not there)'}`],
      ]),
    );
  }
  section(
    'Inputs',
    told.inputs.flatMap(({ kind, from, direct, container: seenAt }) => [
      ...wrapped(`${kind} ${direct ? 'used where it lies: ' : ''}${from}`, '  ', '    '),
      ...wrapped(`-> ${seenAt}`, '    ', '       '),
    ]),
  );
  section(
    'Streams',
    told.streams.flatMap(({ stream, goesTo }) => wrapped(`${stream} -> ${goesTo}`, '  ', '    ')),
  );
  section(
    'Binds',
    told.binds.flatMap(({ host, container: at, mode }) =>
      wrapped(`${host} -> ${at} (${mode})`, '  ', '    '),
    ),
  );
  if (container !== null) {
    section('Container', [
      ...pairs([
        ['starts in', container.workingDirectory],
        ['GPU', container.gpu ? 'yes' : 'no'],
        ['environment', container.environment.join(', ') || null],
        ['command', container.commandInFile ? 'goes through a file, because it holds a token' : null],
      ]),
      ...container.arguments.map((argument) => `    ${shellWord(argument)}`),
    ]);
  }
  section('Resources', resourceLines(told.resources));
  section('sbatch', commandLines(told.sbatch));
  section('apptainer', commandLines(told.apptainer));
  section(
    'Outputs',
    told.hooks.flatMap(({ filename, goesTo, options }) =>
      wrapped(`${filename} -> ${[goesTo, ...options].join(', ')}`, '  ', '    '),
    ),
  );
  section(
    'Follow-up tasks',
    told.followUps.map(({ when, task: name, id }) => `  ${when}: ${name}${id === null ? '' : ` (${id})`}`),
  );
  section(
    'Notes',
    told.notes.flatMap((note) => wrapped(note, '- ', '  ')),
  );
  return `${lines.join('\n')}\n`;
}

/** The requested resources and their origins. */
export function resourceLines(resources: readonly Resource[]): string[] {
  const texts = resources.map(
    ({ option, value }) => `--${option}${value === null ? '' : `=${shellWord(value)}`}`,
  );
  const widest = Math.min(40, Math.max(0, ...texts.map((text) => text.length)));
  return resources.map(
    ({ origin }, index) => `  ${(texts[index] ?? '').padEnd(widest)}  ${originText(origin)}`,
  );
}

/** A command line for a shell, with one option per line. */
export function commandLines(argv: readonly string[] | null): string[] {
  if (argv === null) return [];
  const lines: string[] = [];
  let line = ' ';
  for (const word of argv.map(shellWord)) {
    if (line.trim() !== '' && line.length + word.length + 3 > width) {
      lines.push(`${line} \\`);
      line = '   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

export function pairs(rows: readonly (readonly [name: string, value: string | null])[]): string[] {
  return rows.flatMap(([name, value]) =>
    value === null ? [] : wrapped(value, `  ${name.padEnd(12)}  `, ' '.repeat(16)),
  );
}

export function wrapped(text: string, first: string, rest: string): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = rest;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].map(printable);
}

/** Removes control characters, because the content of a message is untrusted. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '\uFFFD');
}
