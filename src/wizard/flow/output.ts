import { stripVTControlCharacters, styleText } from 'node:util';
import type { Detection } from '../detect/detect.js';
import type { Found } from '../detect/found.js';
import { duration } from '../questions/slurm.js';

/** Width at which text is wrapped: that of the terminal, but no line is so long that it is hard to read. */
function width(): number {
  return Math.min(100, process.stdout.columns || 80) - 2;
}

/** Whether the locale can show more than ASCII; one that is not named can. */
function showsSymbols({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  const locale = LC_ALL || LC_CTYPE || LANG || '';
  return locale === '' || /utf-?8/iu.test(locale);
}

const isUnicode = showsSymbols(process.env);

/** Symbols and text styles. Colored only if the terminal supports it. */
export const style = {
  good: styleText('green', isUnicode ? '✓' : '+'),
  bad: styleText('red', isUnicode ? '✗' : 'x'),
  careful: styleText('yellow', '!'),
  heading: (text: string) => styleText('bold', text),
  dim: (text: string) => styleText('dim', text),
  added: (text: string) => styleText('green', text),
  removed: (text: string) => styleText('red', text),
};

/** Wraps text at the terminal's width and indents it. Longer words are not broken. */
export function indented(text: string, by = 2): string {
  const indent = ' '.repeat(by);
  const lines: string[] = [];
  for (const word of text.split(/ +/)) {
    const last = lines.at(-1);
    if (last !== undefined && plainLength(last) + 1 + plainLength(word) <= width())
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${indent}${word}`);
  }
  return lines.join('\n');
}

function plainLength(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Two columns, of which the second is wrapped. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const first = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows
    .map(([name, text]) => {
      const lines = indented(text, first + 2).split('\n');
      return [`  ${name.padEnd(first)}${lines[0]?.trimStart() ?? ''}`, ...lines.slice(1)].join('\n');
    })
    .join('\n');
}

/** Formats what was detected. */
export function detectionText(detection: Detection): string {
  const { slurm, association, gpus, apptainer, directories, rabbitmq, mongo, girder, systemd } = detection;
  return table([
    [
      'Slurm',
      describe(slurm, ({ version, cluster, accounting }) =>
        [
          version ?? 'unknown version',
          ...(cluster === null ? [] : [`cluster ${cluster}`]),
          ...(accounting === null ? [] : [accounting ? 'with accounting' : 'no accounting']),
        ].join(', '),
      ),
    ],
    [
      'Partitions',
      describe(slurm, ({ partitions }) =>
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
    [
      'GPUs',
      describe(gpus, (found) => found.map(({ partition, gres }) => `${gres} in ${partition}`).join(', ')),
    ],
    [
      'Account',
      describe(
        association,
        ({ account, qos }) => `${account ?? 'none'}${qos === null ? '' : `, qos ${qos}`}`,
      ),
    ],
    ['Containers', describe(apptainer, ({ command, version }) => `${command} ${version} on this host`)],
    [
      'Shared',
      describe(directories, (found) => found.map(({ path, type }) => `${path} (${type})`).join(', ')),
    ],
    ['RabbitMQ', describe(rabbitmq, ({ host, port }) => `${host}:${port}`)],
    ['MongoDB', describe(mongo, ({ host, port }) => `${host}:${port}`)],
    ['Girder', describe(girder, ({ apiUrl, version }) => `${version} at ${apiUrl}`)],
    ['systemd', describe(systemd, () => 'user services available')],
  ]);
}

function describe<T>(found: Found<T>, format: (value: T) => string): string {
  return found.found ? format(found.value) : style.dim(`not found: ${found.reason}`);
}
