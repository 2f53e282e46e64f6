import { DsaSlurmError } from '../../base/errors.js';
import { findSetting } from '../../config/index.js';
import type { InitAnswers } from '../init-answers.js';
import { readMongoUri } from './addresses.js';

/** Why files cannot be generated from these answers: complete sentences without secrets. */
function answerProblems(answers: InitAnswers): string[] {
  const problems: string[] = [];
  for (const [key, value] of texts(answers)) {
    // a line break would end the line in the generated file
    if (/[\p{Cc}\u2028\u2029\uFFFD]/u.test(value)) problems.push(`${key} must be one line of text.`);
  }
  for (const [key, path] of Object.entries(answers.dirs)) problems.push(...pathProblems(`dirs.${key}`, path));
  for (const [key, value] of Object.entries(answers.slurm)) {
    const isPath = findSetting(`slurm.${key}`)?.info.path === true;
    if (typeof value === 'string' && !isPath && !/^[^\s"'\\#$`]+$/.test(value)) {
      problems.push(`slurm.${key} must be one word without quotes, backslashes, # and $.`);
    }
  }
  return [...problems, ...deploymentProblems(answers)];
}

/** @throws DsaSlurmError `usage` with every problem at once */
export function checkAnswers(answers: InitAnswers): void {
  const problems = answerProblems(answers);
  if (problems.length === 0) return;
  throw new DsaSlurmError('usage', `These answers are invalid: ${problems.join(' ')}`, {
    next: 'Change them and try again.',
  });
}

function deploymentProblems({ deployment, broker, mongo, girder }: InitAnswers): string[] {
  if (deployment === null) return [];
  const problems = [
    ...pathProblems('deployment.directory', deployment.directory),
    ...pathProblems('deployment.assetstore', deployment.assetstore),
  ];
  if (deployment.flavour === 'forked' && girder.major !== 3) {
    problems.push('deployment.flavour: the Slurm forks require Girder 3; for Girder 5, use "stock".');
  }
  if (!/^[1-9]\d{0,9}:[1-9]\d{0,9}$/.test(deployment.user)) {
    problems.push('deployment.user must be uid:gid in numbers, and neither may be 0.');
  }
  if (broker.tls) {
    problems.push(
      'broker.tls: the RabbitMQ of the deployment does not use TLS; for TLS, use your own RabbitMQ.',
    );
  }
  // Girder rejects shorter ones when it creates the administrator
  if (deployment.adminPassword.length < 6) {
    problems.push('deployment.adminPassword must have at least 6 characters.');
  }
  const place = readMongoUri(mongo.uri);
  if (place === null)
    problems.push('mongo.uri must be an address that begins with mongodb:// and names one host.');
  const forEnv: Record<string, string> = {
    'deployment.adminPassword': deployment.adminPassword,
    'broker.user': broker.user,
    'broker.password': broker.password,
    'broker.vhost': broker.vhost,
    'the user in mongo.uri': place?.login?.user ?? 'x',
    'the password in mongo.uri': place?.login?.password ?? 'x',
  };
  for (const [key, value] of Object.entries(forEnv)) {
    if (value === '' || /['\\]|\$\{/.test(value)) {
      problems.push(
        `${key} must not be empty or contain a single quote, a backslash or \${, which compose files interpret.`,
      );
    }
  }
  return problems;
}

function pathProblems(key: string, path: string): string[] {
  return path.startsWith('/') ? [] : [`${key} must be an absolute path.`];
}

function* texts(value: unknown, key = ''): Generator<[string, string]> {
  if (typeof value === 'string') yield [key, value];
  else if (typeof value === 'object' && value !== null) {
    for (const [name, below] of Object.entries(value))
      yield* texts(below, key === '' ? name : `${key}.${name}`);
  }
}
