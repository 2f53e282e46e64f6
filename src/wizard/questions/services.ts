import { pattern, withoutControlCharacters, portNumber } from '../validate/text.js';
import { brokerAuthority, brokerHost, brokerLogin, brokerText, splitBroker } from '../validate/broker.js';
import { apiKey, apiUrl, completeApiUrl, girderAuthority } from '../validate/girder.js';
import { mongoUri } from '../validate/mongo.js';
import { hasDeployment } from '../flow/partial-answers.js';
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
      'RabbitMQ server that Girder publishes to, as seen from this host. Can be a complete address without the password.',
    kind: 'text',
    flag: '--broker',
    proposal: (draft, { rabbitmq }) =>
      hasDeployment(draft) ? 'localhost' : rabbitmq.found ? rabbitmq.value.host : undefined,
    splitAnswer: splitBroker,
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
    validate: withoutControlCharacters,
  },
  {
    key: 'broker.tls',
    section: 'RabbitMQ',
    message: 'TLS to RabbitMQ',
    about: '`yes`: use TLS (amqps).',
    kind: 'choice',
    flag: '--broker-tls',
    choices: yesOrNo,
    proposal: () => 'no',
    asked: () => false,
    read: ({ broker }) => yesNoText(broker?.tls),
    write: (draft, value) => ({ ...draft, broker: { ...draft.broker, tls: value === 'yes' } }),
  },
  {
    key: 'broker.caFile',
    section: 'RabbitMQ',
    message: 'CA certificate of RabbitMQ, which is not signed by a public CA',
    about:
      'PEM file of a private CA, for RabbitMQ with TLS. Asked only if its certificate is not signed by a public CA.',
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
    about: 'RabbitMQ user, the same as in Girder.',
    kind: 'text',
    flag: '--broker-user',
    proposal: (draft) => (hasDeployment(draft) ? 'dsa' : 'guest'),
    validate: withoutControlCharacters,
  },
  {
    key: 'broker.password',
    section: 'RabbitMQ',
    message: 'RabbitMQ password',
    about: 'Password of this user.',
    kind: 'secret',
    proposal: (draft) => (draft.broker?.user === 'guest' && !hasDeployment(draft) ? 'guest' : undefined),
    generate: hasDeployment,
    validate: brokerLogin,
  },
  {
    key: 'girder.apiUrl',
    section: 'Girder',
    message: 'Address of Girder’s API',
    about: 'Girder’s API as seen from this host. If only the host is given, /api/v1 is added.',
    kind: 'text',
    flag: '--girder',
    proposal: (draft, { girder }) => {
      if (hasDeployment(draft)) return `http://localhost:${draft.deployment?.girderPort ?? 8080}/api/v1`;
      return girder.found ? girder.value.apiUrl : undefined;
    },
    normalize: completeApiUrl,
    validate: apiUrl,
  },
  {
    key: 'girder.caFile',
    section: 'Girder',
    message: 'CA certificate of Girder, if it is not signed by a public CA',
    about: 'PEM file of a private CA, for an https address of Girder.',
    kind: 'path',
    flag: '--girder-ca',
    optional: true,
    when: ({ girder }) => girder?.apiUrl?.startsWith('https:') ?? false,
    proposal: () => null,
    validate: girderAuthority,
  },
  {
    key: 'girder.major',
    section: 'Girder',
    message: 'Version of Girder',
    about: '`3` or `5`. Detected if Girder is running.',
    kind: 'choice',
    flag: '--girder-major',
    choices: () => [
      { value: '3', name: '3' },
      { value: '5', name: '5' },
    ],
    proposal: (draft, { girder }) =>
      !hasDeployment(draft) && girder.found ? String(girder.value.major) : '3',
    asked: ({ deployment }) => deployment?.flavour === 'stock',
    read: ({ girder }) => (girder?.major === undefined ? undefined : String(girder.major)),
    write: (draft, value) => ({ ...draft, girder: { ...draft.girder, major: value === '5' ? 5 : 3 } }),
    validate: (value, { draft }) =>
      draft.deployment?.flavour === 'forked' && String(value) !== '3'
        ? {
            kind: 'problem',
            problem: 'The Slurm forks require Girder 3.',
            fix: 'Answer 3, or choose the unmodified image.',
          }
        : pattern(value, /^[35]$/, '3 or 5'),
  },
  {
    key: 'girder.apiKey',
    section: 'Girder',
    message: 'API key of an administrator, to check Girder’s settings',
    about: 'For reading and changing Girder’s worker settings. Not needed to run the worker.',
    kind: 'secret',
    optional: true,
    proposal: () => null,
    asked: (draft) => !hasDeployment(draft),
    validate: apiKey,
  },
  {
    key: 'girder.directPaths',
    section: 'Girder',
    message: 'Read slides directly from Girder’s paths',
    about: '`yes`: inputs that have the same path on this host, the nodes and Girder are not downloaded.',
    kind: 'choice',
    flag: '--direct-paths',
    choices: yesOrNo,
    proposal: () => 'no',
    asked: () => false,
    read: ({ girder }) => yesNoText(girder?.directPaths),
    write: (draft, value) => ({ ...draft, girder: { ...draft.girder, directPaths: value === 'yes' } }),
  },
  {
    key: 'mongo.uri',
    section: 'MongoDB',
    message: 'Address of Girder’s MongoDB',
    about: 'For checks only; nothing is written to it. Leave it out if this host cannot reach it.',
    kind: 'secret',
    optional: true,
    proposal: (draft, { mongo }) =>
      mongo.found || hasDeployment(draft) ? 'mongodb://localhost:27017/girder' : null,
    asked: (draft, { mongo }) => mongo.found && !hasDeployment(draft),
    validate: mongoUri,
  },
  {
    key: 'service',
    section: 'Running the worker',
    message: 'How is the worker started?',
    about:
      '`systemd`: as a user service; `system`: as a system service, which an administrator installs; `script`: with a script, run.sh.',
    kind: 'choice',
    flag: '--service',
    choices: (_draft, { systemd }) => [
      { value: 'systemd', name: `systemd user service${systemd.found ? '' : ' (not available here)'}` },
      { value: 'system', name: 'systemd system service, which an administrator installs' },
      { value: 'script', name: 'a script (run.sh) that I start myself' },
    ],
    proposal: (_draft, { systemd }) => (systemd.found ? 'systemd' : 'script'),
  },
];
