import { pattern, oneLine, portNumber } from '../validate/text.js';
import { brokerAuthority, brokerHost, brokerLogin, brokerText, spreadBroker } from '../validate/broker.js';
import { apiKey, apiUrl, authority } from '../validate/girder.js';
import { mongoUri } from '../validate/mongo.js';
import { isDeployed } from '../flow/partial-answers.js';
import type { Question } from './question.js';

const yesOrNo = () => [
  { value: 'no', name: 'no' },
  { value: 'yes', name: 'yes' },
];

function yesNoText(value: boolean | undefined): 'yes' | 'no' | undefined {
  return value === undefined ? undefined : value ? 'yes' : 'no';
}

export const serviceQuestions: readonly Question[] = [
  {
    key: 'broker.host',
    section: 'RabbitMQ',
    message: 'RabbitMQ host, or host:port/vhost',
    about:
      'The RabbitMQ that Girder publishes to, as this host reaches it. May be a whole address without its password.',
    kind: 'text',
    flag: '--broker',
    proposal: (draft, { rabbitmq }) =>
      isDeployed(draft) ? 'localhost' : rabbitmq.found ? rabbitmq.value.host : undefined,
    spread: spreadBroker,
    text: ({ broker }) => (broker === undefined ? undefined : brokerText(broker)),
    validate: brokerHost,
  },
  {
    key: 'broker.port',
    section: 'RabbitMQ',
    message: 'RabbitMQ port',
    about: 'Port of RabbitMQ.',
    kind: 'number',
    flag: '--broker-port',
    proposal: (draft) => (draft.broker?.tls === true ? 5671 : 5672),
    asked: () => false,
    validate: portNumber,
  },
  {
    key: 'broker.vhost',
    section: 'RabbitMQ',
    message: 'RabbitMQ virtual host',
    about: 'Virtual host of RabbitMQ.',
    kind: 'text',
    flag: '--broker-vhost',
    proposal: () => '/',
    asked: () => false,
    validate: oneLine,
  },
  {
    key: 'broker.tls',
    section: 'RabbitMQ',
    message: 'TLS to RabbitMQ',
    about: '`yes`: the connection is encrypted (amqps).',
    kind: 'choice',
    flag: '--broker-tls',
    choices: yesOrNo,
    proposal: () => 'no',
    asked: () => false,
    read: ({ broker }) => yesNoText(broker?.tls),
    keep: (draft, value) => ({ ...draft, broker: { ...draft.broker, tls: value === 'yes' } }),
  },
  {
    key: 'broker.caFile',
    section: 'RabbitMQ',
    message: 'Certificate of the authority behind RabbitMQ’s own, which no public one vouches for',
    about:
      'PEM file of a private authority, for RabbitMQ with TLS. Asked for where no public authority vouches for it.',
    kind: 'path',
    flag: '--broker-ca',
    optional: true,
    when: ({ broker }) => broker?.tls ?? false,
    proposal: () => null,
    validate: brokerAuthority,
  },
  {
    key: 'broker.user',
    section: 'RabbitMQ',
    message: 'RabbitMQ user',
    about: 'User of RabbitMQ, the same that Girder uses.',
    kind: 'text',
    flag: '--broker-user',
    proposal: (draft) => (isDeployed(draft) ? 'dsa' : 'guest'),
    validate: oneLine,
  },
  {
    key: 'broker.password',
    section: 'RabbitMQ',
    message: 'RabbitMQ password',
    about: 'Password of that user.',
    kind: 'secret',
    proposal: (draft) => (draft.broker?.user === 'guest' && !isDeployed(draft) ? 'guest' : undefined),
    generate: isDeployed,
    validate: brokerLogin,
  },
  {
    key: 'girder.apiUrl',
    section: 'Girder',
    message: 'Address of Girder’s API',
    about: 'Girder as this host reaches it; ends in /api/v1.',
    kind: 'text',
    flag: '--girder',
    proposal: (draft, { girder }) => {
      if (isDeployed(draft)) return `http://localhost:${draft.deployment?.girderPort ?? 8080}/api/v1`;
      return girder.found ? girder.value.apiUrl : undefined;
    },
    validate: apiUrl,
  },
  {
    key: 'girder.caFile',
    section: 'Girder',
    message: 'Certificate of the authority behind Girder’s own, if it is none of the public ones',
    about: 'PEM file of a private authority, for an https address of Girder.',
    kind: 'path',
    flag: '--girder-ca',
    optional: true,
    when: ({ girder }) => girder?.apiUrl?.startsWith('https:') ?? false,
    proposal: () => null,
    validate: authority,
  },
  {
    key: 'girder.major',
    section: 'Girder',
    message: 'Version of Girder',
    about: '`3` or `5`. Found out where Girder answers.',
    kind: 'choice',
    flag: '--girder-major',
    choices: () => [
      { value: '3', name: '3' },
      { value: '5', name: '5' },
    ],
    proposal: (draft, { girder }) => (!isDeployed(draft) && girder.found ? String(girder.value.major) : '3'),
    asked: ({ deployment }) => deployment?.flavour === 'stock',
    read: ({ girder }) => (girder?.major === undefined ? undefined : String(girder.major)),
    keep: (draft, value) => ({ ...draft, girder: { ...draft.girder, major: value === '5' ? 5 : 3 } }),
    validate: (value, { draft }) =>
      draft.deployment?.flavour === 'forked' && String(value) !== '3'
        ? {
            kind: 'problem',
            problem: 'The Slurm forks are made for Girder 3.',
            fix: 'Answer 3, or take the unmodified image.',
          }
        : pattern(value, /^[35]$/, '3 or 5'),
  },
  {
    key: 'girder.apiKey',
    section: 'Girder',
    message: 'API key of an administrator, to check Girder’s settings',
    about: 'Only for looking at and setting Girder’s worker settings. Not needed to run the worker.',
    kind: 'secret',
    optional: true,
    proposal: () => null,
    asked: (draft) => !isDeployed(draft),
    validate: apiKey,
  },
  {
    key: 'girder.directPaths',
    section: 'Girder',
    message: 'Read slides from Girder’s own paths where they are readable',
    about: '`yes`: inputs that this host and the nodes see at the same path as Girder are not downloaded.',
    kind: 'choice',
    flag: '--direct-paths',
    choices: yesOrNo,
    proposal: () => 'no',
    asked: () => false,
    read: ({ girder }) => yesNoText(girder?.directPaths),
    keep: (draft, value) => ({ ...draft, girder: { ...draft.girder, directPaths: value === 'yes' } }),
  },
  {
    key: 'mongo.uri',
    section: 'MongoDB',
    message: 'Address of Girder’s MongoDB',
    about: 'Only for checks; nothing is written there. Not set where this host cannot reach it.',
    kind: 'secret',
    optional: true,
    proposal: (draft, { mongo }) =>
      mongo.found || isDeployed(draft) ? 'mongodb://localhost:27017/girder' : null,
    asked: (draft, { mongo }) => mongo.found && !isDeployed(draft),
    validate: mongoUri,
  },
  {
    key: 'service',
    section: 'Running the worker',
    message: 'How shall the worker be kept running?',
    about: '`systemd`: a user service; `script`: a run.sh to start yourself.',
    kind: 'choice',
    flag: '--service',
    choices: (_draft, { systemd }) => [
      { value: 'systemd', name: `systemd user service${systemd.found ? '' : ' (none works here)'}` },
      { value: 'script', name: 'a script, run.sh, that I start myself' },
    ],
    proposal: (_draft, { systemd }) => (systemd.found ? 'systemd' : 'script'),
  },
];
