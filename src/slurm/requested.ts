/** What a job asked Slurm for; null where it asked for nothing, so that the partition's default holds. */
export interface RequestedResources {
  /** Per node. */
  memoryBytes: number | null;
  /** Tasks times CPUs per task. */
  cpus: number | null;
  timeLimitMs: number | null;
  /** As requested: `gpu:a100:1`. */
  gpus: string | null;
}

/** Reads the resources from the arguments of sbatch, as `submitArguments` makes them. */
export function requestedResources(sbatch: readonly string[]): RequestedResources {
  const values = new Map<string, string>();
  for (const argument of sbatch) {
    const [, name, value] = /^--([a-z-]+)=(.*)$/s.exec(argument) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, value);
  }
  const count = (name: string): number | null => {
    const text = values.get(name) ?? '';
    return /^[1-9]\d{0,6}$/.test(text) ? Number(text) : null;
  };
  const [perTask, tasks] = [count('cpus-per-task'), count('ntasks')];
  const cpus = perTask === null && tasks === null ? null : (perTask ?? 1) * (tasks ?? 1);
  const memory = parseMemory(values.get('mem') ?? '');
  const perCpu = parseMemory(values.get('mem-per-cpu') ?? '');
  const gres = values.get('gres') ?? '';
  return {
    memoryBytes: memory ?? (perCpu === null ? null : perCpu * (cpus ?? 1)),
    cpus,
    timeLimitMs: parseTimeLimit(values.get('time') ?? ''),
    gpus: values.get('gpus') ?? (/(^|,)gpu(:|$)/.test(gres) ? gres : null),
  };
}

const units = ['K', 'M', 'G', 'T'];

/** Bytes of `4G`, `4096` (megabytes), `500M`; null for anything else, and for 0, which means all memory of the node. */
export function parseMemory(text: string): number | null {
  const [, digits, unit = 'M'] = /^(\d{1,12})([KMGT])?B?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * 1024 ** (units.indexOf(unit.toUpperCase()) + 1);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}

/** Bytes in Slurm's units, which are powers of 1024: `640K`, `3.2G`, `16G`. */
export function formatMemory(bytes: number): string {
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1_000 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const rounded = size < 9.95 ? Math.round(size * 10) / 10 : Math.round(size);
  return `${rounded}${units[unit]}`;
}

/** Milliseconds of a time limit as sbatch accepts it: `30` (minutes), `30:00`, `4:00:00`, `1-12`, `1-12:00`; null for no limit. */
export function parseTimeLimit(text: string): number | null {
  const [, days, clock = ''] = /^(?:(\d{1,5})-)?(\d{1,9}(?::\d{1,2}){0,2})$/.exec(text.trim()) ?? [];
  if (clock === '') return null;
  const [first = 0, second = 0, third = 0] = clock.split(':').map(Number);
  const minutes =
    days !== undefined || clock.split(':').length === 3
      ? (Number(days ?? 0) * 24 + first) * 60 + second + third / 60
      : first + second / 60;
  return Math.round(minutes * 60_000);
}

const [megabyte, gigabyte] = [1024 ** 2, 1024 ** 3];

/** Memory as sbatch accepts it, rounded up to whole gigabytes, or to 256 megabytes below one: `8G`, `512M`. */
export function memoryOption(bytes: number): string {
  const quarters = Math.max(1, Math.ceil(bytes / (256 * megabyte)));
  return quarters < 4 ? `${quarters * 256}M` : `${Math.ceil(bytes / gigabyte)}G`;
}

/** A time limit as sbatch accepts it, rounded up to whole minutes: `8:00:00`. */
export function timeLimitOption(ms: number): string {
  const minutes = Math.max(1, Math.ceil(ms / 60_000));
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:00`;
}
