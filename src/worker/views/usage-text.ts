import { formatAge, formatDuration } from '../../base/text/duration.js';
import type { JobUsage } from '../../slurm/exit-record.js';
import { formatMemory, type RequestedResources } from '../../slurm/requested.js';

/** What a job used beside what it asked for, as labeled texts for screens. */
export function usageTexts(
  usage: JobUsage | null,
  requested: RequestedResources | null,
): (readonly [label: string, text: string])[] {
  if (usage === null) return [];
  const { memoryBytes, cgroupMemoryBytes, cpuMs, wallMs, oomKills, gpuMemoryBytes } = usage;
  const granted = requested?.memoryBytes ?? usage.grantedMemoryBytes;
  const cpus = requested?.cpus ?? usage.cpus;
  const texts: (readonly [string, string | null])[] = [
    ['memory used', memoryBytes === null ? null : share(formatMemory(memoryBytes), memoryBytes, granted)],
    ['with file cache', cgroupMemoryBytes === null ? null : formatMemory(cgroupMemoryBytes)],
    ['out of memory', (oomKills ?? 0) === 0 ? null : `the kernel killed ${oomKills} of its processes`],
    ['CPU time', cpuMs === null ? null : cpuText(cpuMs, wallMs, cpus)],
    ['wall time', timeText(wallMs, requested?.timeLimitMs ?? null)],
    ['GPUs', usage.gpus === null ? null : String(usage.gpus)],
    ['GPU memory', gpuMemoryBytes === null ? null : formatMemory(gpuMemoryBytes)],
  ];
  return texts.flatMap(([label, text]) => (text === null ? [] : [[label, text] as const]));
}

function share(text: string, used: number, granted: number | null): string {
  return granted === null
    ? text
    : `${text} of ${formatMemory(granted)} (${Math.round((100 * used) / granted)}%)`;
}

function cpuText(cpuMs: number, wallMs: number, cpus: number | null): string {
  const time = formatDuration(cpuMs);
  if (wallMs === 0) return time;
  const busy = (cpuMs / wallMs).toFixed(1);
  return `${time}, ${busy} ${cpus === null ? 'CPUs' : `of ${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`} on average`;
}

function timeText(wallMs: number, limit: number | null): string {
  return limit === null
    ? formatAge(wallMs)
    : `${formatAge(wallMs)} of ${formatAge(limit)} (${Math.round((100 * wallMs) / limit)}%)`;
}
