import type { Row } from './rows.js';

/** The rows that hold every word of `filter` somewhere in their texts, whatever the case. An empty filter holds nothing back. */
export function filterRows(rows: readonly Row[], filter: string): readonly Row[] {
  const words = filter.toLowerCase().split(/\s+/u).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const text = searchText(row);
    return words.every((word) => text.includes(word));
  });
}

function searchText({ run, job }: Row): string {
  const parts: (string | null)[] = [];
  if (job !== null) {
    parts.push(job.id, job.name, job.user, job.state.base, ...job.state.flags);
    parts.push(job.reason, job.partition, job.nodes);
  }
  if (run !== null) {
    parts.push(
      run.id,
      run.jobId,
      run.stage,
      run.outcome,
      run.image,
      run.cli,
      run.title,
      run.user,
      run.reason,
    );
  }
  return parts.filter(Boolean).join('\n').toLowerCase();
}
