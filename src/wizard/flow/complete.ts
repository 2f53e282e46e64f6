import { DsaSlurmError } from '../../base/errors.js';
import { loadSettings, type Settings } from '../../config/index.js';
import { readAnswer } from './partial-answers.js';
import { settingsOf } from '../files/profile.js';
import { secretAnswers, type Draft, type InitAnswers } from '../init-answers.js';

/**
 * Complete answers, from which files are generated. Those that do not apply are null.
 * @param settings values of settings without a question, by key
 * @throws DsaSlurmError `usage` if a required one is missing
 */
export function completeAnswers(
  draft: Draft,
  profile: string,
  settings: InitAnswers['settings'] = {},
): InitAnswers {
  const { worker, dirs, slurm = {}, apptainer, broker, girder } = draft;
  const deployment = draft.deployment ?? null;
  return {
    profile,
    worker: { executor: worker?.executor ?? 'slurm', localJobs: worker?.localJobs ?? null },
    dirs: {
      tmp: required(dirs?.tmp, 'dirs.tmp'),
      logs: required(dirs?.logs, 'dirs.logs'),
      images: required(dirs?.images, 'dirs.images'),
      submitScript: required(dirs?.submitScript, 'dirs.submitScript'),
    },
    slurm,
    apptainer: { command: apptainer?.command ?? 'apptainer' },
    broker: {
      host: required(broker?.host, 'broker.host'),
      port: required(broker?.port, 'broker.port'),
      vhost: broker?.vhost ?? '/',
      user: required(broker?.user, 'broker.user'),
      password: required(broker?.password, 'broker.password'),
      tls: broker?.tls ?? false,
      caFile: broker?.caFile ?? null,
    },
    girder: {
      apiUrl: required(girder?.apiUrl, 'girder.apiUrl'),
      apiKey: girder?.apiKey ?? null,
      caFile: girder?.caFile ?? null,
      major: girder?.major ?? 3,
      directPaths: girder?.directPaths ?? false,
    },
    mongo: { uri: draft.mongo?.uri ?? null },
    deployment:
      deployment === null
        ? null
        : {
            flavour: required(deployment.flavour, 'deployment.flavour'),
            directory: required(deployment.directory, 'deployment.directory'),
            girderPort: deployment.girderPort ?? 8080,
            assetstore: required(deployment.assetstore, 'deployment.assetstore'),
            user: required(deployment.user, 'deployment.user'),
            adminPassword: required(deployment.adminPassword, 'deployment.adminPassword'),
          },
    service: draft.service ?? 'script',
    settings,
  };
}

function required<T>(value: T | null | undefined, key: string): T {
  if (value !== undefined && value !== null) return value;
  throw new DsaSlurmError('usage', `${key} is not answered.`, { next: 'Run: dsa-slurm init' });
}

/** Values that must not be printed. */
export function secretsOf(draft: Draft): string[] {
  return secretAnswers.flatMap((key) => {
    const value = readAnswer(draft, key);
    if (typeof value !== 'string') return [];
    const password = URL.parse(value)?.password ?? '';
    return key === 'mongo.uri' ? (password === '' ? [] : [password, value]) : [value];
  });
}

/** The settings that a profile with these answers will contain. */
export function settingsOfAnswers(answers: InitAnswers): Settings {
  // no profile there: only these values and the defaults apply
  const options = { profile: 'default', configDir: '/nonexistent', env: {}, flags: settingsOf(answers) };
  return loadSettings(options).settings;
}
