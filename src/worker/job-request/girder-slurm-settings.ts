import { invalidValue } from '../../slurm/options.js';

/** Settings for Slurm jobs made in Girder; null if not set. Every value is valid for its sbatch option. */
export interface GirderSlurmSettings {
  account: string | null;
  qos: string | null;
  mem: string | null;
  cpus: string | null;
  ntasks: string | null;
  partition: string | null;
  time: string | null;
  /** Value of `--gres`. */
  gresConfig: string | null;
  /** Every job gets a GPU, even if its image does not ask for one. */
  gpu: boolean;
  /** Number of GPUs; null if the setting is just "on". */
  gpuCount: number | null;
  /** Partition of jobs with a GPU. */
  gpuPartition: string | null;
}

/** Names of the settings, as declared by the Slurm plugin of Girder (contract, section i). */
export const girderSlurmKeys = [
  'account',
  'qos',
  'mem',
  'cpus',
  'ntasks',
  'partition',
  'time',
  'gres_config',
  'gpu',
  'gpu_partition',
].map((name) => `worker_slurm.${name}`);

/**
 * Parses Girder's answer. Girder stores any text, so each value is validated; one that sbatch would not accept is
 * ignored and reported.
 * @param answer values by setting name: `{'worker_slurm.mem': '8G'}`
 */
export function readGirderSlurmSettings(answer: Readonly<Record<string, unknown>>): {
  settings: GirderSlurmSettings;
  /** Full sentences. */
  problems: string[];
} {
  const problems: string[] = [];
  const ignore = (name: string, why: string): null => {
    problems.push(`Girder's setting worker_slurm.${name} is ignored: ${why}.`);
    return null;
  };
  const raw = (name: string): string | null => {
    const value = answer[`worker_slurm.${name}`];
    if (value === null || value === undefined || value === '') return null;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      return ignore(name, 'it is not a text');
    }
    return String(value).trim() || null;
  };
  const read = (name: string, option: string): string | null => {
    const value = raw(name);
    const problem = value === null ? null : invalidValue(option, value);
    return problem === null ? value : ignore(name, problem);
  };

  const gpu = raw('gpu')?.toLowerCase() ?? 'off';
  const isCount = /^\d{1,3}$/.test(gpu);
  const isWord = ['true', 'yes', 'on', 'false', 'no', 'off', 'none'].includes(gpu);
  if (!isCount && !isWord) ignore('gpu', 'it is neither a number nor true or false');
  return {
    settings: {
      account: read('account', 'account'),
      qos: read('qos', 'qos'),
      mem: read('mem', 'mem'),
      cpus: read('cpus', 'cpus-per-task'),
      ntasks: read('ntasks', 'ntasks'),
      partition: read('partition', 'partition'),
      time: read('time', 'time'),
      gresConfig: read('gres_config', 'gres'),
      gpu: isCount ? Number(gpu) > 0 : ['true', 'yes', 'on'].includes(gpu),
      gpuCount: isCount && Number(gpu) > 0 ? Number(gpu) : null,
      gpuPartition: read('gpu_partition', 'partition'),
    },
    problems,
  };
}
