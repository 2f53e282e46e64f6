import type { NodeRow } from '../../../slurm/commands/sinfo.js';
import { expandHostlist } from '../../../slurm/commands/hostlist.js';
import type { Glyphs, Tone } from '../../terminal/theme.js';

/** How a node state is drawn, next to the state as Slurm spells it. */
interface NodeStatus {
  glyph: keyof Glyphs;
  tone: Tone;
}

/** Node states of sinfo(1), "NODE STATE CODES", by their meaning for jobs. The first match counts. */
const stateGroups: readonly (readonly [words: readonly string[], status: NodeStatus])[] = [
  [
    [
      'down',
      'error',
      'fail',
      'failing',
      'inval',
      'invalid_reg',
      'no_respond',
      'not_responding',
      'unknown',
      'unk',
    ],
    { glyph: 'failed', tone: 'bad' },
  ],
  [['drain', 'drained', 'draining', 'drng'], { glyph: 'warning', tone: 'warning' }],
  [
    [
      'blocked',
      'future',
      'maint',
      'perfctrs',
      'planned',
      'power_down',
      'power_up',
      'powered_down',
      'powering_down',
      'powering_up',
      'reboot',
      'reboot_issued',
      'reboot_requested',
      'reserved',
      'resv',
    ],
    { glyph: 'working', tone: 'busy' },
  ],
  [['allocated', 'alloc', 'mixed', 'mix', 'completing', 'comp'], { glyph: 'running', tone: 'good' }],
  [['idle'], { glyph: 'waiting', tone: 'good' }],
];

/** @param state for example `mixed`, `idle+drain` or `down*` (not responding) */
export function nodeStatus(state: string): NodeStatus {
  const words = state
    .toLowerCase()
    .split('+')
    .map((word) => word.replace(/[^a-z_]+$/u, ''));
  if (state.includes('*')) words.push('not_responding');
  const found = stateGroups.find(([known]) => words.some((word) => known.includes(word)));
  return found?.[1] ?? { glyph: 'unknown', tone: 'plain' };
}

/** Whether a node is drained or draining, whatever else it is. */
export function isDrained(state: string): boolean {
  return /(?:^|\+)(?:drain|drng)/iu.test(state);
}

/** Whether a node gets no jobs because it is down or drained. */
export function isUnavailable(state: string): boolean {
  return ['bad', 'warning'].includes(nodeStatus(state).tone);
}

/** @param gres for example `gpu:a100:4(S:0-1),gpu:t4:1,shard:8` */
export function countGpus(gres: string): number {
  const bare = gres.replaceAll(/\([^)]*\)/gu, '');
  return bare.split(',').reduce((sum, one) => {
    const [, number] = /^(?:gres[/:])?gpu(?::[^:]+)?:(\d{1,6})$/iu.exec(one.trim()) ?? [];
    return sum + Number(number ?? (/^(?:gres[/:])?gpu(?::(?!\d+$)[^:]+)?$/iu.test(one.trim()) ? 1 : 0));
  }, 0);
}

/** MiB not allocated to jobs; null if Slurm did not report it. */
export function freeMemory({ memory: { total, allocated } }: NodeRow): number | null {
  return total === null || allocated === null ? null : Math.max(0, total - allocated);
}

/** `500M`, `15.6G`, `1.5T` */
export function formatMebibytes(mebibytes: number): string {
  const units = ['M', 'G', 'T', 'P'];
  let value = mebibytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10}${units[unit]}`;
}

/** @param nodes node list of a job */
export function isOnNode(nodes: string, name: string): boolean {
  return nodes === name || (/[[,]/u.test(nodes) && expandHostlist(nodes).includes(name));
}
