import type { GirderAccess } from './analysis.js';
import { girderClientClass } from './classes.js';
import { attribute, isInstance, type Pickled, type PickledInstance } from '../pickle/pickled.js';
import { rejectMessage } from './reject-message.js';

/** The subject of an error sentence: `Container argument 3 (GirderFileIdToVolume)`. */
export type Subject = string;

/** A Girder id of 24 hexadecimal digits, from a string or an ObjectId: safe in a URL and as a directory name. */
export function readId(subject: Subject, what: string, value: Pickled): string {
  const text = isObjectId(value) ? value.hex : value;
  if (!isGirderId(text)) return rejectMessage(`${subject} has no valid ${what} id.`);
  return text.toLowerCase();
}

export function isGirderId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{24}$/i.test(value);
}

export function isObjectId(value: Pickled): value is Extract<Pickled, { kind: 'objectId' }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'objectId';
}

/** Any string, unchecked: file names are sanitized when files are created. */
export function readText(subject: Subject, what: string, value: Pickled): string {
  return typeof value === 'string' ? value : rejectMessage(`${subject} has no string as its ${what}.`);
}

export function readOptionalText(subject: Subject, what: string, value: Pickled): string | null {
  return value === null ? null : readText(subject, what, value);
}

export function readBoolean(subject: Subject, what: string, value: Pickled, absent: boolean): boolean {
  if (value === null) return absent;
  return typeof value === 'boolean' ? value : rejectMessage(`${subject} has no boolean as its ${what}.`);
}

/** An absolute path without control characters, which would break a batch script, an argument or a log. */
export function readAbsolutePath(subject: Subject, what: string, value: Pickled): string {
  const path = readText(subject, what, value);
  return isAbsolutePath(path) ? path : rejectMessage(`${subject} has no absolute path as its ${what}.`);
}

export function isAbsolutePath(path: string): boolean {
  return path.startsWith('/') && !/\p{Cc}/u.test(path);
}

/** The API URL and token of a transform, from its attribute `gc`, a pickled GirderClient. */
export function readAccess(subject: Subject, transform: PickledInstance): GirderAccess {
  const client = attribute(transform, 'gc');
  if (!isInstance(client) || client.className !== girderClientClass) {
    return rejectMessage(`${subject} has no Girder client: it was not published by Girder.`);
  }
  const apiUrl = readHttpUrl(`${subject}, its API URL,`, attribute(client, 'urlBase'));
  const token = attribute(client, 'token');
  // the token becomes a header and possibly an argument
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,4096}$/.test(token)) {
    return rejectMessage(`${subject} has no usable Girder token.`);
  }
  return { apiUrl, token };
}

/** An http or https URL without trailing slash. Errors do not quote it, because it may contain a password. */
export function readHttpUrl(subject: Subject, value: unknown): string {
  const url = typeof value === 'string' && !/[\s\p{Cc}]/u.test(value) ? URL.parse(value) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return rejectMessage(`${subject} is not an http or https URL.`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return rejectMessage(`${subject} is a URL with a user, a query or a fragment, which is not allowed.`);
  }
  return String(value).replace(/\/+$/, '');
}
