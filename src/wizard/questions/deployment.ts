import { dirname, join } from 'node:path';
import { isDeployed, readAnswer, writeAnswer } from '../flow/partial-answers.js';
import { ownDirectory, sharedDirectory } from '../validate/directory.js';
import { pattern, portNumber, strongSecret } from '../validate/text.js';
import type { Question } from './question.js';

const none = 'none';

export const deploymentQuestions: readonly Question[] = [
  {
    key: 'deployment.flavour',
    section: 'Digital Slide Archive',
    message: 'Write files that start the archive itself, too?',
    about:
      '`none`: the archive runs already; `stock`: an unmodified DSA image; `forked`: Girder 3 with the Slurm forks and Apptainer inside.',
    kind: 'choice',
    flag: '--deploy',
    choices: () => [
      { value: none, name: 'no, it runs already or elsewhere' },
      { value: 'stock', name: 'yes, with an unmodified DSA image' },
      { value: 'forked', name: 'yes, Girder 3 with the Slurm forks and Apptainer inside' },
    ],
    proposal: () => none,
    read: (draft) => {
      if (draft.deployment === null) return none;
      return readAnswer(draft, 'deployment.flavour');
    },
    keep: (draft, value) =>
      value === none ? { ...draft, deployment: null } : writeAnswer(draft, 'deployment.flavour', value),
  },
  {
    key: 'deployment.directory',
    section: 'Digital Slide Archive',
    message: 'Directory for these files',
    about: 'Where docker-compose.yml and what belongs to it are written.',
    kind: 'path',
    flag: '--deploy-dir',
    when: isDeployed,
    proposal: (draft) =>
      join(draft.base ?? (draft.dirs?.tmp === undefined ? '/opt' : dirname(draft.dirs.tmp)), 'dsa'),
    validate: (value, context) => ownDirectory(String(value), context),
  },
  {
    key: 'deployment.assetstore',
    section: 'Digital Slide Archive',
    message: 'Directory of the assetstore (slides)',
    about: 'Where Girder keeps the files that are uploaded to it.',
    kind: 'path',
    flag: '--assetstore',
    when: isDeployed,
    proposal: (draft) => join(draft.deployment?.directory ?? '/opt/dsa', 'assetstore'),
    validate: (value, context) => sharedDirectory(String(value), context),
  },
  {
    key: 'deployment.girderPort',
    section: 'Digital Slide Archive',
    message: 'Port of Girder on this host',
    about: 'Where the archive’s web page is found.',
    kind: 'number',
    flag: '--girder-port',
    when: isDeployed,
    proposal: () => 8080,
    validate: portNumber,
  },
  {
    key: 'deployment.user',
    section: 'Digital Slide Archive',
    message: 'User and group that it runs as (uid:gid)',
    about: '`uid:gid` of the containers: who owns the assetstore and the images.',
    kind: 'text',
    flag: '--dsa-user',
    when: isDeployed,
    // nothing in the archive needs root
    proposal: (_draft, { user }) => (user.uid === 0 ? undefined : `${user.uid}:${user.gid}`),
    asked: (_draft, { user }) => user.uid === 0,
    validate: (value) =>
      pattern(value, /^[1-9]\d{0,9}:[1-9]\d{0,9}$/, 'two numbers other than 0, such as 1000:1000'),
  },
  {
    key: 'deployment.adminPassword',
    section: 'Digital Slide Archive',
    message: 'Password of Girder’s first administrator',
    about: 'Password of the user `admin` that is made on the first start.',
    kind: 'secret',
    when: isDeployed,
    generate: () => true,
    validate: strongSecret,
  },
];
