/**
 * The pending tasks of a job array, which squeue prints as one row: `104_[2-300%1]`. Slurm's other commands accept such an
 * id only without the throttle after `%` and without steps (`1-9:2`); both tested on 22.05.
 */
export interface ArrayRest {
  /** The array: `104`. */
  array: string;
  /** As the other commands accept it: `104_[2-300]`. Null if squeue truncated the list. */
  id: string | null;
  /** Number of pending tasks. Null if squeue truncated the list. */
  count: number | null;
}

/** A list with steps is expanded up to this many tasks. */
const maxExpanded = 5_000;

/** Parses a job id from squeue; null unless it stands for the pending tasks of an array. */
export function arrayRest(jobId: string): ArrayRest | null {
  const [, array, list] = /^(\d+)_\[([^\]]*)\]$/.exec(jobId) ?? [];
  if (array === undefined || list === undefined) return null;
  const cut: ArrayRest = { array, id: null, count: null };
  const parts: string[] = [];
  let count = 0;
  for (const part of list.replace(/%\d*$/, '').split(',')) {
    const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part) ?? [];
    if (first === undefined || Number(step) < 1 || Number(last) < Number(first)) return cut;
    const tasks = Math.floor((Number(last) - Number(first)) / Number(step)) + 1;
    count += tasks;
    if (step === '1') {
      parts.push(first === last ? first : `${first}-${last}`);
      continue;
    }
    if (tasks > maxExpanded) return cut;
    for (let task = Number(first); task <= Number(last); task += Number(step)) parts.push(String(task));
  }
  return { array, id: `${array}_[${parts.join(',')}]`, count };
}

/** `104_[2-300] (299 tasks)`; any other id is returned unchanged. */
export function jobIdWithTasks(jobId: string): string {
  const count = arrayRest(jobId)?.count ?? null;
  return count === null ? jobId : `${jobId} (${count} ${count === 1 ? 'task' : 'tasks'})`;
}
