import * as z from 'zod';

import { broker } from './sections/broker.js';
import { dirs } from './sections/dirs.js';
import { slurm } from './sections/slurm.js';
import { apptainer } from './sections/apptainer.js';
import { girder, mongo } from './sections/girder.js';
import { worker } from './sections/worker.js';
import { log, metrics, notices } from './sections/monitoring.js';

/**
 * Every setting. Types, environment names, `dsa-slurm config`, docs/configuration.md and docs/config.schema.json are
 * derived from it. One file of `sections/` has the settings of one part.
 */
export const settingsSchema = z.strictObject({
  broker,
  dirs,
  slurm,
  apptainer,
  girder,
  mongo,
  worker,
  metrics,
  notices,
  log,
});

/** All settings, validated and complete: `settings.slurm.partition`. */
export type Settings = z.output<typeof settingsSchema>;
