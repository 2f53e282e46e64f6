import { join } from 'node:path';
import { iniValue } from '../../base/text/ini.js';
import { shellWord } from '../../base/text/shell-text.js';
import { isLoopback } from '../../doctor/clients/broker.js';
import type { PlannedFile, InitAnswers } from '../init-answers.js';
import { backendOf, brokerUrlOf, brokerUrlInside, readMongoUri } from './addresses.js';
import { composeScalar, envValue, yamlScalar } from './quote.js';
import { readTemplate, render, type Values } from './render.js';

type Deployment = NonNullable<InitAnswers['deployment']>;

/** The files for running the DSA. The answers must have passed `checkAnswers`. */
export function deploymentFiles(answers: InitAnswers, deployment: Deployment): PlannedFile[] {
  const { girder, dirs } = answers;
  const sections = {
    profile: answers.profile,
    major: String(girder.major),
    girder3: girder.major === 3,
    girder5: girder.major === 5,
    forked: deployment.flavour === 'forked',
    stock: deployment.flavour === 'stock',
  };
  const file = (path: string, template: string, mode: number, purpose: string, values: Values = {}) => ({
    path: join(deployment.directory, path),
    mode,
    content: render(readTemplate(`dsa/${template}.tmpl`), { ...sections, ...values }),
    purpose,
  });
  const composeValues = composeValuesOf(answers, deployment);
  const files = [
    file('docker-compose.yml', 'docker-compose.yml', 0o644, 'The containers of the DSA.', composeValues),
    file(
      '.env',
      'env',
      0o600,
      'Passwords and names for docker-compose.yml.',
      envValuesOf(answers, deployment),
    ),
    file('start.sh', 'start.sh', 0o755, 'Starts the DSA.', {
      assetstore: shellWord(deployment.assetstore),
      images: shellWord(dirs.images),
      slurmLogs: shellWord(dirs.logs),
    }),
    file('start-girder.sh', 'start-girder.sh', 0o755, 'Starts Girder inside its container.', {
      devops: girder.major === 3 ? 'dsa' : 'ver5',
    }),
    file('provision.yaml', 'provision.yaml', 0o644, 'Initial configuration of Girder.', {
      assetstoreInside: yamlScalar(assetstoreInside(answers, deployment)),
      apiUrl: yamlScalar(girder.apiUrl),
      directPath: String(girder.directPaths ?? false),
    }),
    file('rabbitmq.conf', 'rabbitmq.conf', 0o644, 'RabbitMQ settings for Celery.'),
  ];
  if (girder.major === 3) {
    files.push(
      file('girder.cfg', 'girder.cfg', 0o644, 'Configuration of Girder 3.'),
      file('worker.dist.cfg', 'worker.dist.cfg', 0o600, 'RabbitMQ connection of Girder.', {
        ...brokerValues(brokerUrlInside(answers.broker)),
        seenFrom: 'inside the containers',
        tmp: 'tmp',
      }),
      file(
        'worker/worker.dist.cfg',
        'worker.dist.cfg',
        0o600,
        'RabbitMQ connection of a Python worker on this machine.',
        {
          ...brokerValues(brokerUrlOf(answers.broker)),
          seenFrom: 'from this machine',
          tmp: iniValue(dirs.tmp),
        },
      ),
    );
  }
  if (deployment.flavour === 'forked') {
    files.push(
      file('image/Dockerfile', 'Dockerfile', 0o644, 'Adds Apptainer and the Slurm forks to the DSA.'),
    );
  }
  return files;
}

function composeValuesOf(answers: InitAnswers, deployment: Deployment): Values {
  const { dirs, broker, girder, mongo } = answers;
  const place = readMongoUri(mongo.uri);
  const mongoLogin = place !== null && place.login !== null;
  return {
    girderImage: deployment.flavour === 'forked' ? 'dsa-slurm/girder:local' : '${DSA_IMAGE:?see .env}',
    cache: girder.major === 3 ? 'memcached' : 'redis',
    girderPort: published(new URL(girder.apiUrl).hostname, deployment.girderPort, 8080),
    brokerPort: published(broker.host, broker.port, 5672),
    // without a login, never reachable from other machines
    mongoPort: published(mongoLogin ? place.host : 'localhost', place?.port ?? 27_017, 27_017),
    mongoLogin,
    mongoOpen: !mongoLogin,
    assetstore: composeScalar(deployment.assetstore),
    assetstoreInside: composeScalar(assetstoreInside(answers, deployment)),
    images: composeScalar(dirs.images),
    slurmLogs: composeScalar(dirs.logs),
  };
}

/** Published to other machines only if the worker connects from another one. */
function published(host: string, port: number, inside: number): string {
  return yamlScalar(`${isLoopback(host) ? '127.0.0.1:' : ''}${port}:${inside}`);
}

function envValuesOf({ broker, girder, mongo }: InitAnswers, deployment: Deployment): Values {
  const place = readMongoUri(mongo.uri);
  const inside = brokerUrlInside(broker);
  return {
    user: deployment.user,
    dsaImage: `docker.io/dsarchive/${girder.major === 3 ? 'dsa_common' : 'dsa_common_5'}:latest`,
    adminPassword: envValue(deployment.adminPassword),
    brokerUser: envValue(broker.user),
    brokerPassword: envValue(broker.password),
    brokerVhost: envValue(broker.vhost),
    broker: envValue(inside),
    backend: envValue(backendOf(inside)),
    mongoUri: envValue(place?.inside ?? ''),
    mongoLogin: place !== null && place.login !== null,
    mongoUser: envValue(place?.login?.user ?? ''),
    mongoPassword: envValue(place?.login?.password ?? ''),
  };
}

function brokerValues(url: string): Values {
  return { broker: iniValue(url), backend: iniValue(backendOf(url)) };
}

/**
 * Path of the assetstore in the container: the same as outside, so that Girder's paths are valid on the cluster, or without
 * `slurm.mountPrefix`, which the worker then prepends to them.
 */
function assetstoreInside({ slurm }: InitAnswers, { assetstore }: Deployment): string {
  const prefix = slurm.mountPrefix?.replace(/\/+$/, '') ?? '';
  return prefix !== '' && assetstore.startsWith(`${prefix}/`) ? assetstore.slice(prefix.length) : assetstore;
}
