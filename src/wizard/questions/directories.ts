import { join } from 'node:path';
import { isLocal } from '../flow/partial-answers.js';
import type { Draft } from '../init-answers.js';
import { oneLine } from '../validate/text.js';
import { sharedDirectory, submitScript } from '../validate/directory.js';
import type { Question } from './question.js';

const below = (draft: Draft, name: string): string | undefined =>
  typeof draft.base === 'string' ? join(draft.base, name) : undefined;

export const directoryQuestions: readonly Question[] = [
  {
    key: 'base',
    section: 'Directories',
    message: 'Shared directory of your group',
    hereMessage: 'Directory for what the worker needs',
    about:
      'A directory that login and compute nodes see at the same path, or any of this host where jobs run on it. The next four are proposed below it.',
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
    about: 'Where inputs and temporary volumes are put. Needs most of the room.',
    kind: 'path',
    flag: '--tmp',
    proposal: (draft) => below(draft, 'tmp'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'dirs.logs',
    section: 'Directories',
    message: 'Logs of jobs (LOGS)',
    about: 'Where the logs of jobs are written.',
    kind: 'path',
    flag: '--logs',
    proposal: (draft) => below(draft, 'logs'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'dirs.images',
    section: 'Directories',
    message: 'Container images (SIF_IMAGE_PATH)',
    about:
      'Where the SIF files of images are. The same directory that Girder’s Slurm plugin fills, if there is one.',
    kind: 'path',
    flag: '--images',
    proposal: (draft) => below(draft, 'images'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'dirs.submitScript',
    section: 'Directories',
    message: 'Submit script',
    hereMessage: 'Script that runs each job',
    about: 'The batch script that is written and submitted; for Slurm its directory must be shared as well.',
    kind: 'path',
    flag: '--submit-script',
    proposal: (draft) => below(draft, 'singularity.slurm'),
    validate: (value, context) => submitScript(String(value), context),
  },
  {
    key: 'slurm.mountPrefix',
    section: 'Directories',
    message: 'Prefix of assetstore paths on the nodes',
    about: 'Put before paths in Girder’s assetstore, where the compute nodes mount it elsewhere.',
    when: (draft) => !isLocal(draft),
    kind: 'path',
    flag: '--mount-prefix',
    optional: true,
    proposal: () => null,
    asked: () => false,
    validate: oneLine,
  },
];
