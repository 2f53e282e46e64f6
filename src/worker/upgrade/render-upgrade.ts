import { journalVersion } from '../run-state/journal-lines.js';
import type { UpgradeCheck } from './check-upgrade.js';

/** The result as text for people. */
export function renderUpgrade(check: UpgradeCheck): string {
  const { installed, running, journal, restart, changes, published, next } = check;
  const lines = [
    line(
      'Running',
      running === null
        ? 'no worker'
        : `${running.version ?? 'unknown version'}, process ${running.pid} on ${running.host} since ${running.since}`,
    ),
    line('Installed', installed.version),
    line('Journal', journalText(journal)),
    ...(published === null ? [] : [line('Published', publishedText(published))]),
    line('Restart', restartText(check)),
    ...restart.notes.map((note) => line('', note)),
  ];
  if (changes.length > 0) {
    lines.push('', `Changes between ${running?.version ?? '?'} and ${installed.version}:`);
    for (const { version, parts } of changes) {
      for (const { title, items } of parts) {
        const heading = [version, title].filter((word) => word !== '').join(', ');
        // what is new can be read later; what is different concerns those who use it today
        if (title === 'Added' || title === 'Fixed') {
          lines.push(
            `  ${heading}: ${items.length} ${items.length === 1 ? 'entry' : 'entries'} (CHANGELOG.md)`,
          );
        } else {
          lines.push(`  ${heading}:`, ...items.map((item) => `  - ${plain(item)}`));
        }
      }
    }
  }
  if (next.length > 0) lines.push('', 'Next:', ...next.map((command) => `  ${command}`));
  return lines.join('\n');
}

const line = (title: string, value: string): string => `${title.padEnd(11)}${value}`;

function journalText({ version, inFlight }: UpgradeCheck['journal']): string {
  const format = version === null ? 'none yet' : `format ${version}`;
  if (inFlight === null) return format;
  const stages = Object.entries(inFlight);
  const count = stages.reduce((sum, [, each]) => sum + each, 0);
  const detail = stages.map(([stage, each]) => `${each} ${stage}`).join(', ');
  return `${format}, ${count} ${count === 1 ? 'run' : 'runs'} in flight${count === 0 ? '' : ` (${detail})`}`;
}

function restartText({ running, restart, journal, installed }: UpgradeCheck): string {
  if (!restart.safe) {
    return `would fail: this program reads journals up to format ${journalVersion}`;
  }
  if (running === null) return 'nothing to restart; a worker can be started';
  if (restart.needed === false) return `not needed: the worker is ${installed.version}`;
  const busy = Object.keys(journal.inFlight ?? {}).length > 0;
  return `safe: ${busy ? 'Slurm jobs continue, their runs are resumed, and' : 'no run is in flight;'} messages wait in RabbitMQ`;
}

function publishedText({ version, newer, problem }: NonNullable<UpgradeCheck['published']>): string {
  if (version === null) return `unknown: the npm registry: ${problem ?? 'no answer'}`;
  return newer ? `${version}, which is newer` : version;
}

/** Markdown of the changelog without links and emphasis. */
const plain = (item: string): string =>
  item
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('**', '')
    .replaceAll('`', '');
