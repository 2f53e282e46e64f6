import * as z from 'zod';

import { settingInfo } from '../setting-info.js';
import * as type from '../types.js';

/** Documented in src/apptainer/isolation.ts. */
const isolationPart = () => type.oneOf(['files', 'environment', 'processes', 'variables', 'umask', 'layer']);

const isolationException = () =>
  z.strictObject(
    {
      image: type.text().optional(),
      off: type.listOf(isolationPart()).min(1, 'must name at least one part'),
    },
    'must contain exceptions such as {"image": "example/*", "off": ["umask"]} without other keys',
  );

/** Settings `apptainer.*`. */
export const apptainer = z.strictObject({
  command: type.text().register(settingInfo, {
    description: 'Container runtime, by name or path. `singularity` works as well.',
    example: 'singularity',
    default: 'apptainer',
  }),
  options: type.listOf(type.text()).register(settingInfo, {
    description: 'Additional options for `apptainer exec`.',
    example: '["--bind=/scratch,/data"]',
    default: [],
  }),
  isolationExceptions: type.listOf(isolationException()).register(settingInfo, {
    description:
      'Parts of container isolation to turn off, for images that match a pattern with `*` and `?`, or for all images without `image`: `files` (home, /tmp, working directory and mounts of the host), `environment` (variables of the job), `processes`, `variables` (a shell evaluates values), `umask`, `layer` (writable image). See docs/security.md.',
    example: '[{"image":"example/odd:*","off":["umask"]}]',
    default: [],
  }),
  scratch: type.path().nullable().register(settingInfo, {
    description:
      'Directory on the local disk of compute nodes for what containers write to /tmp and next to their program; removed when the job ends. If not set, `$TMPDIR` of the job, or else /tmp of the node.',
    example: '/scratch',
    default: null,
  }),
  pullOn: type.oneOf(['host', 'slurm']).register(settingInfo, {
    advanced: true,
    description:
      'Where images are pulled and queried for their CLIs when an administrator adds them in Girder 5: on this host, or in a Slurm job (`srun`).',
    example: 'slurm',
    default: 'host',
  }),
  pullMinutes: type.integer(1, 1_440).register(settingInfo, {
    advanced: true,
    description: 'Timeout for pulling one image.',
    example: '120',
    default: 60,
  }),
  workingDirectory: type.path().nullable().register(settingInfo, {
    description: 'Working directory in containers whose image does not define one.',
    example: '/opt/app',
    default: null,
  }),
  entrypoint: type.text().nullable().register(settingInfo, {
    description: 'Program to run in containers whose image does not define an entry point.',
    example: './docker-entrypoint.sh',
    default: null,
  }),
});
