import { join } from 'node:path';
import { isLocal } from '../flow/partial-answers.js';
import type { Draft } from '../init-answers.js';
import { withoutControlCharacters } from '../validate/text.js';
import { sharedDirectory, submitScript } from '../validate/directory.js';
import type { Question } from './question.js';

const below = (draft: Draft, name: string): string | undefined =>
  typeof draft.base === 'string' ? join(draft.base, name) : undefined;

export const directoryQuestions: readonly Question[] = [
  {
    key: 'base',
    section: 'Directories',
    message: 'Shared directory of your group',
    localMessage: 'Directory for the worker’s files',
    about:
      'A directory with the same path on login and compute nodes, or any directory if jobs run on this host. The next four directories are proposed below it.',
    kind: 'path',
    flag: '--base',
    optional: true,
    proposal: (_draft, { directories }) => (directories.found ? directories.value[0]?.path : undefined),
    validate: (value, context) => (value === null ? { kind: 'ok' } : sharedDirectory(String(value), context)),
  },
  {
    key: 'dirs.tmp',
    section: 'Directories',
    message: 'Inputs and outputs of runs (TMP)',
    about: 'Directory for inputs and temporary volumes. Needs the most space.',
    kind: 'path',
    flag: '--tmp',
    proposal: (draft) => below(draft, 'tmp'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'dirs.logs',
    section: 'Directories',
    message: 'Logs of jobs (LOGS)',
    about: 'Directory for the logs of jobs.',
    kind: 'path',
    flag: '--logs',
    proposal: (draft) => below(draft, 'logs'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'dirs.images',
    section: 'Directories',
    message: 'Container images (SIF_IMAGE_PATH)',
    about: 'Directory of the SIF files of images. If Girder’s Slurm plugin pulls images, the same directory.',
    kind: 'path',
    flag: '--images',
    proposal: (draft) => below(draft, 'images'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'dirs.submitScript',
    section: 'Directories',
    message: 'Submit script',
    localMessage: 'Script that runs each job',
    about:
      'Path of the batch script that init writes. For Slurm, its directory must be shared with the compute nodes.',
    kind: 'path',
    flag: '--submit-script',
    proposal: (draft) => below(draft, 'singularity.slurm'),
    validate: (value, context) => submitScript(String(value), context),
  },
  {
    key: 'slurm.mountPrefix',
    section: 'Directories',
    message: 'Prefix of assetstore paths on the nodes',
    about: 'Prefix for paths in Girder’s assetstore, if the compute nodes mount it under another path.',
    when: (draft) => !isLocal(draft),
    kind: 'path',
    flag: '--mount-prefix',
    optional: true,
    proposal: () => null,
    asked: () => false,
    validate: withoutControlCharacters,
  },
];
