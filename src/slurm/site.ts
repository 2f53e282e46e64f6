import type { CommandOptions, RunCommand } from '../base/command.js';
import { parseSlurmDuration, parseSlurmNumber } from './commands/values.js';

/** What the cluster allows and prefers. Null: Slurm did not say. */
export interface ClusterInfo {
  /** `22.05.8` */
  version: string | null;
  cluster: string | null;
  /** Seconds that the controller remembers a job after its end; 0 for ever. */
  minJobAge: number | null;
  accounting: boolean | null;
  /**
   * `AccountingStorageEnforce`: `associations`, `limits`, `qos`, `safe` …, in lower case. Without `limits`, `safe` or `all`
   * no limit of the accounting keeps a job from starting.
   */
  enforced: readonly string[] | null;
  partitions: readonly Partition[] | null;
  /** Requests that the controller takes from one user: so many at once, and so many a second. Null: no limit is set. */
  rateLimit: { burst: number; perSecond: number } | null;
}

export interface Partition {
  name: string;
  isDefault: boolean;
  up: boolean;
  /** Seconds; null for no limit. */
  timeLimit: number | null;
  nodes: number | null;
}

/** Asks what the cluster is like. Never throws: what could not be learnt is null. */
export async function readClusterInfo(run: RunCommand, options: CommandOptions = {}): Promise<ClusterInfo> {
  const [config, sinfo] = await Promise.all([
    run('scontrol', ['show', 'config'], options),
    run('sinfo', ['--all', '--noheader', `--format=${['%P', '%a', '%l', '%D'].join(separator)}`], options),
  ]);
  const settings =
    config.kind === 'exited' && config.exitCode === 0
      ? parseConfig(config.stdout)
      : new Map<string, string>();
  const storage = settings.get('AccountingStorageType');
  return {
    version: settings.get('SLURM_VERSION') ?? null,
    cluster: settings.get('ClusterName') ?? null,
    minJobAge: parseSlurmNumber(settings.get('MinJobAge')?.replace(/ sec$/, '') ?? ''),
    // `accounting_storage/none` to 22.05; later releases leave it empty.
    accounting: storage === undefined ? null : !/(^|\/)none$|^$|^\(null\)$/.test(storage),
    enforced: enforced(settings.get('AccountingStorageEnforce')),
    partitions: sinfo.kind === 'exited' && sinfo.exitCode === 0 ? parsePartitions(sinfo.stdout) : null,
    rateLimit: rateLimit(settings.get('SlurmctldParameters') ?? ''),
  };
}

const separator = '\u001F';

function enforced(text: string | undefined): string[] | null {
  if (text === undefined) return null;
  return text
    .toLowerCase()
    .split(',')
    .filter((word) => !/^(none|\(null\)|)$/.test(word));
}

/** `Key   = Value` lines of `scontrol show config`. */
function parseConfig(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined) settings.set(match[1], match[2] ?? '');
  }
  return settings;
}

function parsePartitions(text: string): Partition[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', up, limit, nodes] = line.split(separator);
    if (up === undefined || limit === undefined || nodes === undefined) return [];
    return [
      {
        name: name.trim().replace(/\*$/, ''),
        isDefault: name.trim().endsWith('*'),
        up: up.trim() === 'up',
        timeLimit: parseSlurmDuration(limit),
        nodes: parseSlurmNumber(nodes),
      },
    ];
  });
}

/** Requests that one squeue makes: about federation, partitions and jobs. Counted on Slurm 24.11. */
const requestsPerQuestion = 3;
/** Of what the site's rate limit allows one user, the regular question about all jobs takes no more than this. */
const shareOfBudget = 1 / 4;

/** Seconds that have to be between two questions about all jobs; 0 where the site sets no limit. */
export function shortestPollSeconds({ rateLimit }: Pick<ClusterInfo, 'rateLimit'>): number {
  return rateLimit === null ? 0 : requestsPerQuestion / (rateLimit.perSecond * shareOfBudget);
}

/** `rl_enable` and its companions (slurm.conf(5), SlurmctldParameters), with Slurm's own defaults. */
function rateLimit(parameters: string): ClusterInfo['rateLimit'] {
  const words = parameters.split(',').map((word) => word.trim().toLowerCase());
  if (!words.includes('rl_enable')) return null;
  const value = (name: string, fallback: number): number => {
    const text = words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    return parseSlurmNumber(text) ?? fallback;
  };
  const refill = value('rl_refill_rate', 2) / Math.max(value('rl_refill_period', 1), 1);
  return { burst: value('rl_bucket_size', 30), perSecond: refill };
}
