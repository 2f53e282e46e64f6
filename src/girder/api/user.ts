import { z } from 'zod';
import type { Analysis, GirderAccess } from '../protocol/analysis.js';
import type { GirderClient } from './client.js';
import { segment } from './api-url.js';

/** How to ask as the user who started the analysis: the first access that an argument or an output carries. */
export function firstGirderAccess({ args, hooks }: Pick<Analysis, 'args' | 'hooks'>): GirderAccess | null {
  for (const part of [...args, ...hooks]) if ('access' in part) return part.access;
  return null;
}

const userDocument = z.object({ login: z.string() });

/**
 * The login of a user; null if Girder does not say. Only for people to read, so one attempt is enough. Users are public
 * unless they have chosen otherwise, so a client without a token may ask (girder/api/v1/user.py, 3 and 5).
 */
export async function fetchUserLogin(
  client: Pick<GirderClient, 'json'>,
  userId: string,
  signal: AbortSignal,
): Promise<string | null> {
  const question = { method: 'GET', path: `user/${segment(userId)}`, attempts: 1, signal };
  return client.json(userDocument, question).then(
    ({ login }) => login,
    () => null,
  );
}

/** The id of the user whom a Girder job belongs to, as an administrator is told it; null if Girder does not say. */
export async function fetchJobOwner(
  client: Pick<GirderClient, 'json'>,
  girderJobId: string,
  signal: AbortSignal,
): Promise<string | null> {
  const question = { method: 'GET', path: `job/${segment(girderJobId)}`, attempts: 1, signal };
  return client.json(z.object({ userId: z.string().nullish() }), question).then(
    ({ userId }) => userId ?? null,
    () => null,
  );
}

/** The login of the user whose own token this is: an administrator's, for a task that adds images. Null if not said. */
export async function fetchOwnLogin(
  client: Pick<GirderClient, 'json'>,
  signal: AbortSignal,
): Promise<string | null> {
  const question = { method: 'GET', path: 'user/me', attempts: 1, signal };
  return client.json(userDocument.nullable(), question).then(
    (user) => user?.login ?? null,
    () => null,
  );
}
