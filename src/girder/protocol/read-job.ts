import type { GirderJobRef } from './analysis.js';
import { isGirderId, readHttpUrl } from './read-fields.js';
import { rejectMessage } from './reject-message.js';
import { isHeader, readSession } from '../api/requests-session.js';

const subject = 'The header jobInfoSpec of the message';

/**
 * How to update a task's Girder job, from the headers alone, so that a failure to read the body can still be reported.
 * @returns null if the task has no Girder job
 * @throws DsaSlurmError `message` if the header is malformed
 */
export function readGirderJob(headers: Readonly<Record<string, unknown>>): GirderJobRef | null {
  const spec = headers['jobInfoSpec'];
  if (spec === undefined || spec === null) return null;
  if (!isRecord(spec)) return rejectMessage(`${subject} is not an object.`);
  const url = readHttpUrl(`${subject}, its url,`, spec['url']);
  const id = spec['reference'] ?? /\/job\/([^/]+)$/.exec(url)?.[1];
  if (!isGirderId(id)) return rejectMessage(`${subject} does not name a valid Girder job id.`);
  if (spec['method'] !== 'PUT') return rejectMessage(`${subject} asks for a method other than PUT.`);
  return {
    id: id.toLowerCase(),
    url,
    method: 'PUT',
    headers: readHttpHeaders(spec['headers']),
    session: readSession(headers['girder_client_session_kwargs']),
  };
}

function readHttpHeaders(value: unknown): Record<string, string> {
  if (!isRecord(value)) return rejectMessage(`${subject} has no headers.`);
  const entries = Object.entries(value).map(([name, text]): [string, string] => {
    return isHeader(name, text)
      ? [name, text]
      : rejectMessage(`${subject} has a header that HTTP does not allow.`);
  });
  return Object.fromEntries(entries);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
