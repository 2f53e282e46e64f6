import * as z from 'zod';

import { stateDirectory, temporaryDirectory } from '../paths.js';
import { settingInfo } from '../setting-info.js';
import * as type from '../types.js';

/** Settings `dirs.*`. */
export const dirs = z.strictObject({
  tmp: type.path().register(settingInfo, {
    description: 'Directory for inputs and temporary volumes. Must be shared with the compute nodes.',
    example: '/shared/tmp',
    derived: { text: 'the system’s temporary directory', from: temporaryDirectory },
    legacyEnv: ['TMP'],
    path: true,
  }),
  logs: type
    .path()
    .nullable()
    .register(settingInfo, {
      description: 'Directory for the logs of jobs. Must be shared with the compute nodes.',
      example: '/shared/logs',
      default: null,
      legacyEnv: ['LOGS', 'GIRDER_WORKER_SINGULARITY_LOGS_DIR'],
      path: true,
    }),
  images: type
    .path()
    .nullable()
    .register(settingInfo, {
      description: 'Directory of the SIF files of images. Must be shared with the compute nodes.',
      example: '/shared/images',
      default: null,
      legacyEnv: ['SIF_IMAGE_PATH'],
      path: true,
    }),
  state: type.path().register(settingInfo, {
    description:
      'Directory for the worker’s journal and other state. Belongs to one worker at a time; share it between login nodes only for standby workers.',
    example: '/var/lib/dsa-slurm',
    derived: {
      text: '`$XDG_STATE_HOME/dsa-slurm/<profile>` or `~/.local/state/dsa-slurm/<profile>`',
      from: stateDirectory,
    },
    path: true,
  }),
});
