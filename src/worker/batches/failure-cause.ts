import { formatAge } from '../../base/text/duration.js';
import { oneLine } from '../../base/text/one-line.js';
import { formatMemory } from '../../slurm/requested.js';
import { lastLinesMark } from '../reporting/failure-reason.js';
import type { Run } from '../run-state/run.js';
import { requestedBy } from '../run-state/requested-by.js';

/** Why a run failed, so that equal failures can be counted. */
export interface FailureCause {
  kind: 'memory' | 'time' | 'node' | 'preempted' | 'exit' | 'other';
  /** Equal for failures that are shown as one. */
  key: string;
  /** For people: `out of memory at 4G`. Can contain text of the container. */
  text: string;
  /** What was not enough: memory in bytes, or time in milliseconds; null if that is unknown. */
  limit: number | null;
}

const maxText = 160;

/** Why a run failed; null if it did not. */
export function failureCause(run: Run): FailureCause | null {
  if (run.outcome !== 'failed') return null;
  const { end } = run;
  const requested = requestedBy(run);
  const base = end?.state.base ?? '';
  if (end !== null && end.outcome !== 'succeeded') {
    if (base === 'OUT_OF_MEMORY' || (end.usage?.oomKills ?? 0) > 0) {
      const limit = requested?.memoryBytes ?? end.usage?.grantedMemoryBytes ?? null;
      return cause(
        'memory',
        limit === null ? 'out of memory' : `out of memory at ${formatMemory(limit)}`,
        limit,
      );
    }
    if (base === 'TIMEOUT' || base === 'DEADLINE') {
      const limit = requested?.timeLimitMs ?? null;
      return cause(
        'time',
        limit === null ? 'time limit reached' : `time limit of ${formatAge(limit)} reached`,
        limit,
      );
    }
    if (base === 'NODE_FAIL' || base === 'BOOT_FAIL') return cause('node', 'its node failed', null);
    if (base === 'PREEMPTED') return cause('preempted', 'preempted by another job', null);
  }
  const [first = '', quoted = ''] = (run.reason ?? '').split(lastLinesMark);
  if (end !== null && end.exitCode !== null && end.outcome === 'failed') {
    const { code, signal } = end.exitCode;
    const how = signal === 0 ? `exit code ${code}` : `signal ${signal}`;
    const last = shortLine(quoted.trimEnd().split('\n').at(-1) ?? '');
    return {
      ...cause('exit', last === '' ? how : `${how}: ${last}`, null),
      key: `exit ${how} ${pattern(last)}`,
    };
  }
  const sentence = shortLine(first.split('\n')[0] ?? '') || 'for an unknown reason';
  return { ...cause('other', sentence, null), key: `other ${pattern(sentence)}` };
}

function cause(kind: FailureCause['kind'], text: string, limit: number | null): FailureCause {
  return { kind, key: `${kind} ${text}`, text, limit };
}

function shortLine(text: string): string {
  const line = oneLine(text);
  return line.length > maxText ? `${line.slice(0, maxText - 1)}…` : line;
}

/** Without what differs from slide to slide: paths, quoted names, ids and numbers. */
function pattern(text: string): string {
  return text
    .replaceAll(/(["'`“‘]).*?["'`”’]/g, '<name>')
    .replaceAll(/(?:\/[^\s/:]+)+/g, '<path>')
    .replaceAll(/\b[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}\b/gi, '<id>')
    .replaceAll(/\d+/g, '<n>');
}
