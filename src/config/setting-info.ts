import * as z from 'zod';

import type { DefaultContext } from './paths.js';

/** A setting, apart from its type. */
export interface SettingInfo {
  description: string;
  /** A value as written on a command line. */
  example: string;
  /** Either a fixed default … */
  default?: z.$output;
  /** … or how to compute it, and its description in the documentation. */
  derived?: { text: string; from: (context: DefaultContext) => string };
  /** Environment variables of the Python worker's run.sh and of Celery, in order; DSA_SLURM_… takes precedence over them. */
  legacyEnv?: readonly string[];
  /** Contains a password: masked wherever it is printed. */
  secret?: true;
  /** For a default that is passed to sbatch: the option's long name. */
  sbatchOption?: string;
  /** A path: relative ones from flags and the environment are resolved against the current directory. */
  path?: true;
  /** Rarely changed: at the end of the documentation. */
  advanced?: true;
}

/** {@link SettingInfo} by setting; `z.toJSONSchema` reads descriptions and defaults from it. */
export const settingInfo = z.registry<SettingInfo>();
