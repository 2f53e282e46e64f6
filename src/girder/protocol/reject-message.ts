import { DsaSlurmError } from '../../base/errors.js';

/** Ends the reading of a message: `sentence` is for the owner of the slide and never quotes a token. */
export function rejectMessage(sentence: string): never {
  throw new DsaSlurmError('message', sentence);
}

/** Text of a message inside a sentence: quoted, control characters escaped, cut at 80 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
