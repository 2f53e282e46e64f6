import { dirname, join } from 'node:path';
import { hasDeployment, readAnswer, writeAnswer } from '../flow/partial-answers.js';
import { ownDirectory, sharedDirectory } from '../validate/directory.js';
import { pattern, portNumber, strongSecret } from '../validate/text.js';
import type { Question } from './question.js';

const none = 'none';

export const deploymentQuestions: readonly Question[] = [
  {
    key: 'deployment.flavour',
    section: 'Digital Slide Archive',
    message: 'Also write files to run the Digital Slide Archive?',
    about:
      '`none`: it already runs; `stock`: with an unmodified DSA image; `forked`: Girder 3 with the Slurm forks and Apptainer.',
    kind: 'choice',
    flag: '--deploy',
    choices: () => [
      { value: none, name: 'no, it already runs, or runs elsewhere' },
      { value: 'stock', name: 'yes, with an unmodified DSA image' },
      { value: 'forked', name: 'yes, Girder 3 with the Slurm forks and Apptainer' },
    ],
    proposal: () => none,
    read: (draft) => {
      if (draft.deployment === null) return none;
      return readAnswer(draft, 'deployment.flavour');
    },
    write: (draft, value) =>
      value === none ? { ...draft, deployment: null } : writeAnswer(draft, 'deployment.flavour', value),
  },
  {
    key: 'deployment.directory',
    section: 'Digital Slide Archive',
    message: 'Directory for these files',
    about: 'Directory for docker-compose.yml and related files.',
    kind: 'path',
    flag: '--deploy-dir',
    when: hasDeployment,
    proposal: (draft) =>
      join(draft.base ?? (draft.dirs?.tmp === undefined ? '/opt' : dirname(draft.dirs.tmp)), 'dsa'),
    validate: (value, context) => ownDirectory(String(value), context),
  },
  {
    key: 'deployment.assetstore',
    section: 'Digital Slide Archive',
    message: 'Directory of the assetstore (slides)',
    about: 'Directory in which Girder stores uploaded files.',
    kind: 'path',
    flag: '--assetstore',
    when: hasDeployment,
    proposal: (draft) => join(draft.deployment?.directory ?? '/opt/dsa', 'assetstore'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'deployment.girderPort',
    section: 'Digital Slide Archive',
    message: 'Port of Girder on this host',
    about: 'Port of the web page and the API.',
    kind: 'number',
    flag: '--girder-port',
    when: hasDeployment,
    proposal: () => 8080,
    validate: portNumber,
  },
  {
    key: 'deployment.user',
    section: 'Digital Slide Archive',
    message: 'User and group to run it as (uid:gid)',
    about: '`uid:gid` of the containers, which owns the assetstore and the images.',
    kind: 'text',
    flag: '--dsa-user',
    when: hasDeployment,
    // the containers do not need root
    proposal: (_draft, { user }) => (user.uid === 0 ? undefined : `${user.uid}:${user.gid}`),
    asked: (_draft, { user }) => user.uid === 0,
    validate: (value) =>
      pattern(value, /^[1-9]\d{0,9}:[1-9]\d{0,9}$/, 'two numbers other than 0, such as 1000:1000'),
  },
  {
    key: 'deployment.adminPassword',
    section: 'Digital Slide Archive',
    message: 'Password of Girder’s first administrator',
    about: 'Password of the user `admin`, who is created on the first start.',
    kind: 'secret',
    when: hasDeployment,
    generate: () => true,
    validate: strongSecret,
  },
];
