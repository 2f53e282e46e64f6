import type { GirderAccess } from './analysis.js';
import { girderClientClass } from './classes.js';
import { attribute, isInstance, type Pickled, type PickledInstance } from '../pickle/pickled.js';
import { rejectMessage } from './reject-message.js';

/** Where a value stands, as the beginning of a sentence: `Container argument 3 (GirderFileIdToVolume)`. */
export type Subject = string;

/** A 24-digit Girder id, from a text or an ObjectId: safe in a URL and as a directory name. */
export function readId(place: Subject, what: string, value: Pickled): string {
  const text = isObjectId(value) ? value.hex : value;
  if (!isGirderId(text)) return rejectMessage(`${place} has no valid ${what} id.`);
  return text.toLowerCase();
}

export function isGirderId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{24}$/i.test(value);
}

export function isObjectId(value: Pickled): value is Extract<Pickled, { kind: 'objectId' }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'objectId';
}

/** Any text, raw: file names are made safe where files are made. */
export function readText(place: Subject, what: string, value: Pickled): string {
  return typeof value === 'string' ? value : rejectMessage(`${place} has no text as its ${what}.`);
}

export function readOptionalText(place: Subject, what: string, value: Pickled): string | null {
  return value === null ? null : readText(place, what, value);
}

export function readBoolean(place: Subject, what: string, value: Pickled, absent: boolean): boolean {
  if (value === null) return absent;
  return typeof value === 'boolean'
    ? value
    : rejectMessage(`${place} has neither true nor false as its ${what}.`);
}

/** An absolute path that can stand in one line of a batch script, an argument or a log. */
export function readAbsolutePath(place: Subject, what: string, value: Pickled): string {
  const path = readText(place, what, value);
  return isAbsolutePath(path) ? path : rejectMessage(`${place} has no absolute path as its ${what}.`);
}

export function isAbsolutePath(path: string): boolean {
  return path.startsWith('/') && !/\p{Cc}/u.test(path);
}

/** The Girder and the user behind a transform: its attribute `gc`, a pickled GirderClient. */
export function readAccess(place: Subject, transform: PickledInstance): GirderAccess {
  const client = attribute(transform, 'gc');
  if (!isInstance(client) || client.className !== girderClientClass) {
    return rejectMessage(`${place} carries no access to Girder: it was published outside of Girder.`);
  }
  const apiUrl = readHttpUrl(`${place}, Girder's address,`, attribute(client, 'urlBase'));
  const token = attribute(client, 'token');
  // The token becomes a header and perhaps an argument.
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,4096}$/.test(token)) {
    return rejectMessage(`${place} carries no usable Girder token.`);
  }
  return { apiUrl, token };
}

/** An http or https URL without trailing slash. It is never quoted: it could hold a password. */
export function readHttpUrl(place: Subject, value: unknown): string {
  const url = typeof value === 'string' && !/[\s\p{Cc}]/u.test(value) ? URL.parse(value) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return rejectMessage(`${place} is no http or https address.`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return rejectMessage(`${place} has more than an address needs (user, query or fragment).`);
  }
  return String(value).replace(/\/+$/, '');
}
