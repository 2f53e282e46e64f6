import type { NodeRow } from '../../slurm/commands/sinfo.js';
import { nodesOfList } from '../../slurm/commands/hostlist.js';
import type { Glyphs, Tone } from '../terminal/theme.js';

/** How a node stands: always a symbol beside Slurm's own word. */
export interface NodeStatus {
  glyph: keyof Glyphs;
  tone: Tone;
}

/** Words of sinfo(1), "NODE STATE CODES", by what they mean for a job; the first that is found decides. */
const meanings: readonly (readonly [words: readonly string[], status: NodeStatus])[] = [
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

/** `mixed`, `idle+drain`, `down*` (it does not respond). */
export function nodeStatus(state: string): NodeStatus {
  const words = state
    .toLowerCase()
    .split('+')
    .map((word) => word.replace(/[^a-z_]+$/u, ''));
  if (state.includes('*')) words.push('not_responding');
  const found = meanings.find(([known]) => words.some((word) => known.includes(word)));
  return found?.[1] ?? { glyph: 'unknown', tone: 'plain' };
}

/** Whether Slurm gives it no jobs because it is down or drained. */
export function isOut(state: string): boolean {
  return ['bad', 'warning'].includes(nodeStatus(state).tone);
}

/** GPUs in `gpu:a100:4(S:0-1),gpu:t4:1,shard:8`; 0 for none. */
export function gpusOf(gres: string): number {
  const bare = gres.replaceAll(/\([^)]*\)/gu, '');
  return bare.split(',').reduce((sum, one) => {
    const [, number] = /^(?:gres[/:])?gpu(?::[^:]+)?:(\d{1,6})$/iu.exec(one.trim()) ?? [];
    return sum + Number(number ?? (/^(?:gres[/:])?gpu(?::(?!\d+$)[^:]+)?$/iu.test(one.trim()) ? 1 : 0));
  }, 0);
}

/** MiB that Slurm may still give away; null where it did not say. */
export function freeMemory({ memory: { total, allocated } }: NodeRow): number | null {
  return total === null || allocated === null ? null : Math.max(0, total - allocated);
}

/** MiB for people: `500M`, `15.6G`, `1.5T`. */
export function memoryText(mebibytes: number): string {
  const units = ['M', 'G', 'T', 'P'];
  let value = mebibytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10}${units[unit]}`;
}

/** Whether a job that has these nodes runs on this one. */
export function isOnNode(nodes: string, name: string): boolean {
  return nodes === name || (/[[,]/u.test(nodes) && nodesOfList(nodes).includes(name));
}
