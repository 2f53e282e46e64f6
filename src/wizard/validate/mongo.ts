import { isLoopback } from '../../doctor/clients/broker.js';
import { hasDeployment, type AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { warning, ok, problem, type ValidationResult } from './validation-result.js';

export async function mongoUri(
  value: AnswerValue,
  { draft, probes }: ValidateContext,
): Promise<ValidationResult> {
  if (value === null) return ok();
  const text = String(value);
  if (!/^mongodb(\+srv)?:\/\/[^\s\p{Cc}]+$/u.test(text)) {
    return problem('This is not a MongoDB address.', 'Write it like mongodb://localhost:27017/girder');
  }
  if (hasDeployment(draft)) return ok();
  const { version, open, hasGirder } = await probes.mongo.ping(text);
  const host = URL.parse(text)?.hostname ?? 'localhost';
  const port = Number(URL.parse(text)?.port || 27_017);
  const address = isLoopback(host) ? await probes.broker.openAddress(host, port) : host;
  if (open && address !== null) {
    return warning(
      `mongo:${address}`,
      `MongoDB requires no login and is reachable at ${address}: anyone there can read and change Girder’s users.`,
      'Bind it to 127.0.0.1, or enable authorization.',
    );
  }
  if (!hasGirder) {
    return warning(
      'mongo:girder',
      'This MongoDB has no Girder database.',
      'Correct the database name after the last /.',
    );
  }
  return ok(`MongoDB ${version}`);
}
