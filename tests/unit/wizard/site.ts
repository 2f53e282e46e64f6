import type { PlanContext } from '../../../src/wizard/files/index.js';
import type { InitAnswers } from '../../../src/wizard/init-answers.js';

type Deployment = NonNullable<InitAnswers['deployment']>;

/** Complete answers with recognizable secrets. */
export function siteAnswers(changes: Partial<InitAnswers> = {}): InitAnswers {
  return {
    profile: 'default',
    worker: { executor: 'slurm', localJobs: null },
    dirs: {
      tmp: '/shared/dsa/tmp',
      logs: '/shared/dsa/logs',
      images: '/shared/dsa/SIF',
      submitScript: '/shared/dsa/singularity.slurm',
    },
    slurm: {
      partition: 'batch',
      account: 'pathology',
      qos: null,
      time: '04:00:00',
      mem: '16G',
      cpus: 4,
      gpuPartition: null,
      gpuGres: 'gpu:1',
      mountPrefix: null,
    },
    apptainer: { command: 'apptainer' },
    broker: {
      host: 'localhost',
      port: 5672,
      vhost: '/',
      user: 'dsa',
      password: 'BrokerSecret1',
      tls: false,
    },
    girder: {
      apiUrl: 'http://localhost:8080/api/v1',
      apiKey: 'ApiKeySecret1xxxxxxxxxxxxxxxxxxxxxxxxxxx',
      caFile: null,
      major: 3,
    },
    mongo: { uri: 'mongodb://dsa:MongoSecret1@localhost:27017/girder?authSource=admin' },
    deployment: null,
    service: 'systemd',
    ...changes,
  };
}

export function deployment(changes: Partial<Deployment> = {}): Deployment {
  return {
    flavour: 'stock',
    directory: '/srv/dsa',
    girderPort: 8080,
    assetstore: '/shared/assetstore',
    user: '1000:1000',
    adminPassword: 'AdminSecret1',
    ...changes,
  };
}

export const siteSecrets = [
  'BrokerSecret1',
  'ApiKeySecret1xxxxxxxxxxxxxxxxxxxxxxxxxxx',
  'MongoSecret1',
  'AdminSecret1',
];

export const sitePlaces: PlanContext = {
  configDir: '/home/dsa/.config/dsa-slurm',
  unitDir: '/home/dsa/.config/systemd/user',
  user: 'dsa',
  program: '/opt/dsa-slurm/bin/dsa-slurm',
  environment: { PATH: '/opt/slurm/bin:/usr/bin:/bin', SLURM_CONF: '/etc/slurm/slurm.conf' },
  profileText: null,
};

/** All kinds of sites for which files are generated. */
export const siteKinds: [string, InitAnswers][] = [
  ['the worker alone', siteAnswers()],
  ['the worker alone, without systemd', siteAnswers({ service: 'script', profile: 'lab' })],
  ['forked', siteAnswers({ deployment: deployment({ flavour: 'forked' }) })],
  ['stock, Girder 3', siteAnswers({ deployment: deployment(), mongo: { uri: null } })],
  [
    'stock, Girder 5',
    siteAnswers({
      deployment: deployment(),
      girder: { apiUrl: 'http://localhost:8080/api/v1', apiKey: null, caFile: null, major: 5 },
    }),
  ],
];
