import { invalidValue } from '../../slurm/options.js';

/** What an administrator of Girder has set for Slurm jobs; null: not set. Every value fits its option of sbatch. */
export interface GirderSlurmSettings {
  account: string | null;
  qos: string | null;
  mem: string | null;
  cpus: string | null;
  ntasks: string | null;
  partition: string | null;
  time: string | null;
  /** Text of `--gres`. */
  gresConfig: string | null;
  /** Every job gets a GPU, whatever its image says. */
  gpu: boolean;
  /** How many; null where only "on" is said. */
  gpuCount: number | null;
  /** Partition of jobs with a GPU. */
  gpuPartition: string | null;
}

/** Girder's settings that are read, by the names that the Slurm plugin of Girder declares (contract, section i). */
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
 * Reads Girder's answer. Its page stores whatever is typed, so each value is checked; one that sbatch would not take as
 * that option is left out and complained of.
 * @param answer by setting: `{'worker_slurm.mem': '8G'}`
 */
export function readGirderSlurmSettings(answer: Readonly<Record<string, unknown>>): {
  settings: GirderSlurmSettings;
  /** Whole sentences. */
  complaints: string[];
} {
  const complaints: string[] = [];
  const complain = (name: string, why: string): null => {
    complaints.push(`Girder's setting worker_slurm.${name} is left out: ${why}.`);
    return null;
  };
  const raw = (name: string): string | null => {
    const value = answer[`worker_slurm.${name}`];
    if (value === null || value === undefined || value === '') return null;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      return complain(name, 'it is no text');
    }
    return String(value).trim() || null;
  };
  const read = (name: string, option: string): string | null => {
    const value = raw(name);
    const trouble = value === null ? null : invalidValue(option, value);
    return trouble === null ? value : complain(name, trouble);
  };

  const gpu = raw('gpu')?.toLowerCase() ?? 'off';
  const isCount = /^\d{1,3}$/.test(gpu);
  const isWord = ['true', 'yes', 'on', 'false', 'no', 'off', 'none'].includes(gpu);
  if (!isCount && !isWord) complain('gpu', 'it is neither a number nor true or false');
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
    complaints,
  };
}
