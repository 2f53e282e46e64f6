import { DsaSlurmError } from '../../base/errors.js';
import { findSetting } from '../../config/index.js';
import type { SiteAnswers } from '../init-answers.js';
import { mongoPlace } from './addresses.js';

/** Why files cannot be made from these answers: whole sentences, without secrets. Empty: they can. */
function answerProblems(answers: SiteAnswers): string[] {
  const problems: string[] = [];
  for (const [key, value] of texts(answers)) {
    // what breaks a line breaks out of the line that it is written to
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
export function checkAnswers(answers: SiteAnswers): void {
  const problems = answerProblems(answers);
  if (problems.length === 0) return;
  throw new DsaSlurmError('usage', `No files can be made from these answers: ${problems.join(' ')}`, {
    next: 'Change the answers, and try again.',
  });
}

function deploymentProblems({ deployment, broker, mongo, girder }: SiteAnswers): string[] {
  if (deployment === null) return [];
  const problems = [
    ...pathProblems('deployment.directory', deployment.directory),
    ...pathProblems('deployment.assetstore', deployment.assetstore),
  ];
  if (deployment.flavour === 'forked' && girder.major !== 3) {
    problems.push('deployment.flavour: the Slurm forks are for Girder 3 only; for Girder 5 choose "stock".');
  }
  if (!/^[1-9]\d{0,9}:[1-9]\d{0,9}$/.test(deployment.user)) {
    problems.push('deployment.user must be uid:gid in numbers, and neither may be 0.');
  }
  if (broker.tls) {
    problems.push(
      'broker.tls: the RabbitMQ of the deployment speaks plain AMQP; TLS needs a RabbitMQ of your own.',
    );
  }
  // Girder refuses shorter ones when it makes the administrator
  if (deployment.adminPassword.length < 6) {
    problems.push('deployment.adminPassword must have at least 6 characters.');
  }
  const place = mongoPlace(mongo.uri);
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
        `${key} must not be empty, nor hold a single quote, a backslash or \${: compose would read those otherwise.`,
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
