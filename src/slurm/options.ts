/** sbatch options that a task sets with `--slurm_<name>` among its container arguments. */

import { reservedOptions } from '../config/reserved-options.js';

/** Long name of an sbatch option without dashes, and its value; null for a flag. */
export type SbatchOption = readonly [name: string, value: string | null];

export interface RefusedOption {
  /** The text after `--slurm_`, made printable. */
  option: string;
  reason: string;
}

export interface UserOptions {
  options: SbatchOption[];
  /** The container's arguments without these options. */
  args: string[];
  refused: RefusedOption[];
}

const prefix = '--slurm_';

/** sbatch flags: the word that follows is a container argument. */
const withoutValue = new Set([
  'contiguous',
  'exclusive',
  'hold',
  'no-requeue',
  'overcommit',
  'oversubscribe',
  'reboot',
  'requeue',
  'spread-job',
  'use-min-nodes',
]);

const count = /^\d{1,9}$/;
const memory = /^\d{1,12}[KMGT]?B?$/i;
const time = /^(\d{1,9}|\d{1,9}:\d{1,2}(:\d{1,2})?|\d{1,5}-\d{1,2}(:\d{1,2}){0,2})$/;

/** Syntax of the values of well-known options; sbatch validates the others. */
const shapes: Readonly<Record<string, RegExp>> = {
  time,
  'time-min': time,
  mem: memory,
  'mem-per-cpu': memory,
  'mem-per-gpu': memory,
  tmp: memory,
  'cpus-per-task': count,
  'cpus-per-gpu': count,
  ntasks: count,
  'ntasks-per-node': count,
  nodes: /^\d{1,9}(-\d{1,9})?$/,
  partition: /^[\w.,-]{1,200}$/,
  account: /^[\w.@-]{1,100}$/,
  qos: /^[\w.,-]{1,100}$/,
  gres: /^[\w.,:/-]{1,200}$/,
  gpus: /^[\w.,:-]{1,100}$/,
  'gpus-per-node': /^[\w.,:-]{1,100}$/,
  'gpus-per-task': /^[\w.,:-]{1,100}$/,
};

/**
 * Extracts the sbatch options from a task's container arguments. Forms: `--slurm_mem 8G`, `--slurm_mem=8G`, and without a
 * value at the end, before another flag, or for a flag of sbatch. `_` becomes `-`. Refused options are removed from the
 * arguments, too.
 * @param allowed long names of the sbatch options (`mem`, `mem-per-cpu`) that the operator lets a task set
 */
export function takeUserOptions(args: readonly string[], allowed: readonly string[]): UserOptions {
  const result: UserOptions = { options: [], args: [], refused: [] };
  const allowedNames = new Set(allowed.map(optionName));
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (!arg.startsWith(prefix)) {
      result.args.push(arg);
      continue;
    }
    const equals = arg.indexOf('=');
    const name = optionName(arg.slice(prefix.length, equals === -1 ? undefined : equals));
    let value = equals === -1 ? null : arg.slice(equals + 1);
    const next = args[index + 1];
    if (value === null && next !== undefined && !next.startsWith('-') && !withoutValue.has(name)) {
      value = next;
      index++;
    }
    const reason = refusal(name, value, allowedNames);
    if (reason === null) result.options.push([name, value]);
    else result.refused.push({ option: printable(name.replaceAll('-', '_')), reason });
  }
  return result;
}

function optionName(text: string): string {
  return text.replaceAll('_', '-');
}

function refusal(name: string, value: string | null, allowed: ReadonlySet<string>): string | null {
  if (!/^[a-z][a-z0-9-]{1,40}$/.test(name)) return 'it is not an option of sbatch';
  const why = neverReason(name);
  if (why !== null) return `${why}, so a task may never set it`;
  if (!allowed.has(name)) return 'the operator of this worker does not allow it';
  return value === null ? null : invalidValue(name, value);
}

/**
 * Why a text is not a valid value of an sbatch option; null if it is.
 * @param name the option's long name: `mem-per-cpu`
 */
export function invalidValue(name: string, value: string): string | null {
  if (value === '') return 'its value is empty';
  if (value.length > 256) return 'its value is too long';
  if (value.startsWith('-')) return 'its value starts with a dash';
  if (/\p{C}/u.test(value)) return 'its value contains control characters';
  const shape = shapes[name];
  if (shape !== undefined && !shape.test(value)) return 'sbatch does not accept such a value';
  return null;
}

/** sbatch accepts any unambiguous prefix of a long option, so a prefix of a forbidden option is forbidden, too. */
function neverReason(name: string): string | null {
  for (const [forbidden, reason] of reservedOptions) if (forbidden.startsWith(name)) return reason;
  return null;
}

function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?').slice(0, 60);
}

/** Mutually exclusive sbatch options: the later one of a group replaces the earlier one. */
const groups: readonly (readonly string[])[] = [
  ['mem', 'mem-per-cpu', 'mem-per-gpu'],
  ['requeue', 'no-requeue'],
];

/** Keeps the last of equal or mutually exclusive options: defaults come first, overrides after them. */
export function mergeOptions<T extends { option: string }>(layers: readonly T[]): T[] {
  const result = new Map<string, T>();
  for (const chosen of layers) {
    const rivals = groups.find((group) => group.includes(chosen.option)) ?? [chosen.option];
    for (const rival of rivals) result.delete(rival);
    result.set(chosen.option, chosen);
  }
  return [...result.values()];
}
