/** `45s`, `12m`, `3h05`, `2d04h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds}s`;
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (hours === 0) return `${minutes}m`;
  if (days === 0) return `${hours}h${String(minutes % 60).padStart(2, '0')}`;
  return `${days}d${String(hours % 24).padStart(2, '0')}h`;
}
