import { stripVTControlCharacters, styleText } from 'node:util';
import type { Detection } from '../detect/detect.js';
import type { Found } from '../detect/found.js';
import { duration } from '../questions/slurm.js';

const width = 78;

/** Signs at the beginning of lines, and shades. Colors only where the terminal has them. */
export const mark = {
  good: styleText('green', '✓'),
  bad: styleText('red', '✗'),
  careful: styleText('yellow', '!'),
  heading: (text: string) => styleText('bold', text),
  dim: (text: string) => styleText('dim', text),
};

/** Text in lines of at most 78 columns, each indented. Words that are longer stay whole. */
export function indented(text: string, by = 2): string {
  const indent = ' '.repeat(by);
  const lines: string[] = [];
  for (const word of text.split(/ +/)) {
    const last = lines.at(-1);
    if (last !== undefined && plainLength(last) + 1 + plainLength(word) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${indent}${word}`);
  }
  return lines.join('\n');
}

function plainLength(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Two columns; long second ones go on in lines of their own. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const first = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows
    .map(([name, text]) => {
      const lines = indented(text, first + 2).split('\n');
      return [`  ${name.padEnd(first)}${lines[0]?.trimStart() ?? ''}`, ...lines.slice(1)].join('\n');
    })
    .join('\n');
}

/** What was seen on this machine. */
export function detectionText(detection: Detection): string {
  const { slurm, association, gpus, apptainer, directories, rabbitmq, mongo, girder, systemd } = detection;
  return table([
    [
      'Slurm',
      of(slurm, ({ version, cluster, accounting }) =>
        [
          version ?? 'of unknown version',
          ...(cluster === null ? [] : [`cluster ${cluster}`]),
          ...(accounting === null ? [] : [accounting ? 'with accounting' : 'no accounting']),
        ].join(', '),
      ),
    ],
    [
      'Partitions',
      of(slurm, ({ partitions }) =>
        (partitions ?? [])
          .slice(0, 12)
          .map(({ name, isDefault, timeLimit }) => {
            const notes = [
              ...(isDefault ? ['default'] : []),
              timeLimit === null ? 'no limit' : duration(timeLimit),
            ];
            return `${name} (${notes.join(', ')})`;
          })
          .join(', '),
      ),
    ],
    ['GPUs', of(gpus, (found) => found.map(({ partition, gres }) => `${gres} in ${partition}`).join(', '))],
    [
      'Account',
      of(association, ({ account, qos }) => `${account ?? 'none'}${qos === null ? '' : `, qos ${qos}`}`),
    ],
    ['Containers', of(apptainer, ({ command, version }) => `${command} ${version} on this host`)],
    ['Shared', of(directories, (found) => found.map(({ path, type }) => `${path} (${type})`).join(', '))],
    ['RabbitMQ', of(rabbitmq, ({ host, port }) => `${host}:${port}`)],
    ['MongoDB', of(mongo, ({ host, port }) => `${host}:${port}`)],
    ['Girder', of(girder, ({ apiUrl, version }) => `${version} at ${apiUrl}`)],
    ['systemd', of(systemd, () => 'runs services of yours')],
  ]);
}

function of<T>(found: Found<T>, words: (value: T) => string): string {
  return found.found ? words(found.value) : mark.dim(`not found: ${found.reason}`);
}
