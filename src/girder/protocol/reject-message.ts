import { DsaSlurmError } from '../../base/errors.js';

/**
 * Rejects a task message.
 * @param sentence for the owner of the slide; must not quote a token
 * @throws DsaSlurmError `message`
 */
export function rejectMessage(sentence: string): never {
  throw new DsaSlurmError('message', sentence);
}

/** Text of a message for use in a sentence: quoted, control characters escaped, at most 80 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
