import { isLoopback } from '../../doctor/clients/broker.js';
import { isDeployed, type AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { doubt, ok, problem, type Verdict } from './validation-result.js';

export async function mongoUri(value: AnswerValue, { draft, doors }: ValidateContext): Promise<Verdict> {
  if (value === null) return ok();
  const text = String(value);
  if (!/^mongodb(\+srv)?:\/\/[^\s\p{Cc}]+$/u.test(text)) {
    return problem('This is not an address of MongoDB.', 'Write it as mongodb://localhost:27017/girder');
  }
  if (isDeployed(draft)) return ok();
  const { version, open, hasGirder } = await doors.mongo.ping(text);
  const host = URL.parse(text)?.hostname ?? 'localhost';
  const port = Number(URL.parse(text)?.port || 27_017);
  const address = isLoopback(host) ? await doors.broker.openAddress(host, port) : host;
  if (open && address !== null) {
    return doubt(
      `mongo:${address}`,
      `MongoDB lets anybody in and is open at ${address}: everybody there can read and change Girder’s users.`,
      'Bind it to 127.0.0.1, or turn its authorization on.',
    );
  }
  if (!hasGirder) {
    return doubt(
      'mongo:girder',
      'This MongoDB has no database of Girder.',
      'Correct the name behind the last /.',
    );
  }
  return ok(`MongoDB ${version}`);
}
