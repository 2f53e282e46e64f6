const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** An age or a long duration from milliseconds, in one form on all screens: `45s`, `12m 05s`, `3h 05m`, `2d 04h`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  if (seconds < minute) return `${seconds}s`;
  if (seconds < hour) return twoUnits(seconds, [minute, 'm'], [1, 's']);
  if (seconds < day) return twoUnits(seconds, [hour, 'h'], [minute, 'm']);
  return twoUnits(seconds, [day, 'd'], [hour, 'h']);
}

/** A duration from milliseconds, which can be short: `120ms`, `3.4s`, then as an age. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.max(0, Math.round(milliseconds))}ms`;
  return milliseconds < 10_000 ? `${(milliseconds / 1_000).toFixed(1)}s` : formatAge(milliseconds);
}

type Unit = readonly [seconds: number, name: string];

function twoUnits(seconds: number, [large, largeName]: Unit, [small, smallName]: Unit): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)}${largeName} ${String(rest).padStart(2, '0')}${smallName}`;
}
