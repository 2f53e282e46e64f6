import type { CommandOptions, CommandResult, RunCommand } from '../base/command.js';
import { parseSlurmDuration, parseSlurmNumber } from './commands/values.js';

/** Configuration and limits of the cluster. Null: not known. */
export interface ClusterInfo {
  /** `22.05.8` */
  version: string | null;
  cluster: string | null;
  /** Seconds that the controller remembers a job after its end; 0: forever. */
  minJobAge: number | null;
  accounting: boolean | null;
  /**
   * `AccountingStorageEnforce`: `associations`, `limits`, `qos`, `safe` …, in lower case. Without `limits`, `safe` or `all`,
   * accounting limits do not keep a job from starting.
   */
  enforced: readonly string[] | null;
  /** `PrivateData`: what users without operator rights do not see (`jobs`, `nodes`, `partitions` …), in lower case. */
  privateData: readonly string[];
  partitions: readonly Partition[] | null;
  /** Token bucket for the requests of one user (`rl_enable`). Null: no limit is set. */
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

/** Reads the cluster's configuration. Never throws: what could not be determined is null. */
export async function readClusterInfo(run: RunCommand, options: CommandOptions = {}): Promise<ClusterInfo> {
  const [config, sinfo] = await Promise.all([
    run('scontrol', ['show', 'config'], options),
    run('sinfo', ['--all', '--noheader', `--format=${['%P', '%a', '%l', '%D'].join(separator)}`], options),
  ]);
  const settings = parseConfigAnswer(config) ?? new Map<string, string>();
  const storage = settings.get('AccountingStorageType');
  return {
    version: settings.get('SLURM_VERSION') ?? null,
    cluster: settings.get('ClusterName') ?? null,
    minJobAge: parseSlurmNumber(settings.get('MinJobAge')?.replace(/ sec$/, '') ?? ''),
    // `accounting_storage/none` up to 22.05; empty in later releases
    accounting: storage === undefined ? null : !/(^|\/)none$|^$|^\(null\)$/.test(storage),
    enforced: words(settings.get('AccountingStorageEnforce')),
    privateData: words(settings.get('PrivateData')) ?? [],
    partitions: sinfo.kind === 'exited' && sinfo.exitCode === 0 ? parsePartitions(sinfo.stdout) : null,
    rateLimit: rateLimit(settings.get('SlurmctldParameters') ?? ''),
  };
}

const separator = '\u001F';

function words(text: string | undefined): string[] | null {
  if (text === undefined) return null;
  return text
    .toLowerCase()
    .split(',')
    .filter((word) => !/^(none|\(null\)|)$/.test(word));
}

/**
 * Settings of `scontrol show config`, by name; null if it did not print them. The exit code does not tell: after the settings
 * scontrol pings the controllers, and exits with 1 if rl_enable limits that ping (24.11).
 */
export function parseConfigAnswer(answer: CommandResult): Map<string, string> | null {
  const settings = parseConfig(answer.kind === 'exited' ? answer.stdout : '');
  return settings.size > 0 ? settings : null;
}

/** `Key   = Value` lines. */
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

/** Milliseconds that the doctor waits for a command: one that the rate limit refuses is retried by Slurm itself, for seconds. */
export function patienceMs({ rateLimit }: Pick<ClusterInfo, 'rateLimit'>): number {
  return rateLimit === null ? 4_500 : 15_000;
}

/** RPCs of one squeue: federation, partitions and jobs. Counted on Slurm 24.11. */
const requestsPerQuestion = 3;
/** Polling uses at most this share of the rate limit of one user. */
const shareOfBudget = 1 / 4;

/** Shortest poll interval in seconds that the site's rate limit allows; 0 if there is no limit. */
export function shortestPollSeconds({ rateLimit }: Pick<ClusterInfo, 'rateLimit'>): number {
  return rateLimit === null ? 0 : requestsPerQuestion / (rateLimit.perSecond * shareOfBudget);
}

/** `rl_enable` and related parameters (slurm.conf(5), SlurmctldParameters), with Slurm's defaults. */
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
