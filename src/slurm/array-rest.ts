/**
 * The waiting tasks of a job array, which squeue prints as one row: `104_[2-300%1]`. Slurm's other commands take such an
 * id only without the throttle behind `%` and without steps (`1-9:2`), both tried on 22.05.
 */
export interface ArrayRest {
  /** The array: `104`. */
  array: string;
  /** As the other commands take it: `104_[2-300]`. Null where squeue printed only a part of the list. */
  id: string | null;
  /** How many tasks wait. Null where squeue printed only a part of the list. */
  count: number | null;
}

/** Tasks that a list with steps may be written out to. */
const maxExpanded = 5_000;

/** Reads an id of squeue; null for one that is no rest of an array. */
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

/** `104_[2-300] (299 tasks)`; every other id as it is. */
export function jobIdWithTasks(jobId: string): string {
  const count = arrayRest(jobId)?.count ?? null;
  return count === null ? jobId : `${jobId} (${count} ${count === 1 ? 'task' : 'tasks'})`;
}
