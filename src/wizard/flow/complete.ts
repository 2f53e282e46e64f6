import { DsaSlurmError } from '../../base/errors.js';
import { loadSettings, type Settings } from '../../config/index.js';
import { readAnswer } from './partial-answers.js';
import { settingsOf } from '../files/profile.js';
import { secretAnswers, type Draft, type SiteAnswers } from '../init-answers.js';

/**
 * Answers as the files are made of. What does not apply to a site is null.
 * @throws DsaSlurmError `usage` if one is missing, which is a defect of the questions
 */
export function completeAnswers(draft: Draft, profile: string): SiteAnswers {
  const { worker, dirs, slurm = {}, apptainer, broker, girder } = draft;
  const deployment = draft.deployment ?? null;
  return {
    profile,
    worker: { executor: worker?.executor ?? 'slurm', localJobs: worker?.localJobs ?? null },
    dirs: {
      tmp: needed(dirs?.tmp, 'dirs.tmp'),
      logs: needed(dirs?.logs, 'dirs.logs'),
      images: needed(dirs?.images, 'dirs.images'),
      submitScript: needed(dirs?.submitScript, 'dirs.submitScript'),
    },
    slurm,
    apptainer: { command: apptainer?.command ?? 'apptainer' },
    broker: {
      host: needed(broker?.host, 'broker.host'),
      port: needed(broker?.port, 'broker.port'),
      vhost: broker?.vhost ?? '/',
      user: needed(broker?.user, 'broker.user'),
      password: needed(broker?.password, 'broker.password'),
      tls: broker?.tls ?? false,
      caFile: broker?.caFile ?? null,
    },
    girder: {
      apiUrl: needed(girder?.apiUrl, 'girder.apiUrl'),
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
            flavour: needed(deployment.flavour, 'deployment.flavour'),
            directory: needed(deployment.directory, 'deployment.directory'),
            girderPort: deployment.girderPort ?? 8080,
            assetstore: needed(deployment.assetstore, 'deployment.assetstore'),
            user: needed(deployment.user, 'deployment.user'),
            adminPassword: needed(deployment.adminPassword, 'deployment.adminPassword'),
          },
    service: draft.service ?? 'script',
  };
}

function needed<T>(value: T | null | undefined, key: string): T {
  if (value !== undefined && value !== null) return value;
  throw new DsaSlurmError('usage', `There is no answer to ${key}.`, { next: 'Run: dsa-slurm init' });
}

/** Values that are never shown. */
export function secretsOf(draft: Draft): string[] {
  return secretAnswers.flatMap((key) => {
    const value = readAnswer(draft, key);
    if (typeof value !== 'string') return [];
    const password = URL.parse(value)?.password ?? '';
    return key === 'mongo.uri' ? (password === '' ? [] : [password, value]) : [value];
  });
}

/** The settings that a profile with these answers gives, before it is written. */
export function settingsOfAnswers(answers: SiteAnswers): Settings {
  // a directory without profiles: only these values and the defaults count
  const options = { profile: 'default', configDir: '/nonexistent', env: {}, flags: settingsOf(answers) };
  return loadSettings(options).settings;
}
