// Parsers for values as Slurm's commands print them.

/** Trims; Slurm's placeholders for a missing value become an empty string. */
export function parseSlurmText(text: string): string {
  const bare = text.trim();
  return /^(\(null\)|N\/A|None|none assigned|\(none\))$/i.test(bare) ? '' : bare;
}

/** A non-negative integer, or null. */
export function parseSlurmNumber(text: string): number | null {
  const bare = text.trim();
  return /^\d{1,15}$/.test(bare) ? Number(bare) : null;
}

/** `1-02:03:04`, `02:03:04`, `03:04` in seconds; null for UNLIMITED, INVALID, N/A. */
export function parseSlurmDuration(text: string): number | null {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$/.exec(text.trim());
  if (match === null) return null;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
}

/**
 * Converts a time to milliseconds since the epoch, from seconds since the epoch (`SLURM_TIME_FORMAT=%s`) or Slurm's standard
 * form `2026-11-23T19:28:39` in this host's time zone. Null for Unknown, N/A and None.
 */
export function parseSlurmTime(text: string): number | null {
  const bare = text.trim();
  if (/^\d{9,11}$/.test(bare)) return Number(bare) * 1000;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(bare)) return null;
  const ms = new Date(bare).getTime();
  return Number.isNaN(ms) ? null : ms;
}

/** Exit code of a batch script, and the signal that killed it (0: none). */
export interface ExitCode {
  code: number;
  signal: number;
}

/** `3:0` (scontrol, sacct, newer squeue), or the raw wait status `768` that squeue 22.05 prints. */
export function parseSlurmExitCode(text: string): ExitCode | null {
  const pair = /^(\d{1,5}):(\d{1,5})$/.exec(text.trim());
  if (pair !== null) return { code: Number(pair[1]), signal: Number(pair[2]) };
  const status = parseSlurmNumber(text);
  if (status === null || status > 0xff_ff) return null;
  return { code: status >> 8, signal: status & 0x7f };
}

/** Whether a string is a job id, and so safe on a command line: `42`, `42_7`, or as squeue prints a pending array, `42_[0-5%2]`. */
export function isJobId(text: string): boolean {
  return /^\d{1,12}(_(\d{1,9}|\[[\d,:%-]{0,1000}(\.\.\.)?\]))?(\+\d{1,6})?$/.test(text);
}
