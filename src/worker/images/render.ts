import type { ImageFacts } from '../../apptainer/inspect.js';
import type { ListedImage } from './open-images.js';

/** The table of `dsa-slurm images list`. */
export function renderImages(images: readonly ListedImage[]): string {
  if (images.length === 0) return '';
  const head = ['FILE', 'SIZE', 'MODIFIED', 'STATE', 'RUNS'];
  const rows = images.map(({ file, bytes, modifiedAt, state, runs }) => [
    printable(file),
    size(bytes),
    new Date(modifiedAt).toISOString().slice(0, 16).replace('T', ' '),
    state,
    runs === 0 ? '-' : String(runs),
  ]);
  return [head, ...rows].map((row) => `${columns(row, [head, ...rows]).trimEnd()}\n`).join('');
}

function columns(row: readonly string[], all: readonly (readonly string[])[]): string {
  return row
    .map((cell, column) => cell.padEnd(Math.max(...all.map((each) => (each[column] ?? '').length))))
    .join('  ');
}

/** The output of `dsa-slurm images inspect`. */
export function renderFacts({
  path,
  bytes,
  facts,
}: {
  path: string;
  bytes: number;
  facts: ImageFacts;
}): string {
  const labels = Object.entries(facts.labels).map(([name, value]) => `${name}=${value}`);
  const pairs: [name: string, value: string | readonly string[]][] = [
    ['file', path],
    ['size', size(bytes)],
    [
      'directory',
      facts.workingDirectory === null
        ? 'not set; apptainer.workingDirectory is used'
        : `${facts.workingDirectory}${from(facts.workingDirectoryFrom)}`,
    ],
    [
      'entry point',
      facts.entrypoint === null
        ? 'not set; apptainer.entrypoint is used'
        : `${facts.entrypoint.length === 0 ? 'none: arguments are the command' : JSON.stringify(facts.entrypoint)}${from(facts.entrypointFrom)}`,
    ],
    ['arguments', facts.cmd.length === 0 ? [] : JSON.stringify(facts.cmd)],
    ['GPU', facts.needsGpu ? 'required (label com.nvidia.volumes.needed)' : []],
    ['labels', labels],
  ];
  return pairs
    .flatMap(([name, value]) =>
      [value].flat().map((text, index) => `${(index === 0 ? name : '').padEnd(13)}${printable(text)}\n`),
    )
    .join('');
}

function from(source: 'label' | 'oci' | null): string {
  return source === null ? '' : ` (from its ${source === 'label' ? 'label entry_path' : 'OCI config'})`;
}

/** Formats bytes: `1.2 GB`. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Removes control characters from untrusted labels and file names. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD').slice(0, 2_000);
}
