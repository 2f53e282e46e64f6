import { z } from 'zod';
import type { Analysis, GirderAccess } from '../protocol/analysis.js';
import type { GirderClient } from './client.js';
import { segment } from './api-url.js';

/** The access of the user who started the analysis: the first one that an argument or an output carries. */
export function firstGirderAccess({ args, hooks }: Pick<Analysis, 'args' | 'hooks'>): GirderAccess | null {
  for (const part of [...args, ...hooks]) if ('access' in part) return part.access;
  return null;
}

const userDocument = z.object({ login: z.string() });

/**
 * The login of a user; null if Girder does not say. For display only, so there is one attempt. Users are public by default,
 * so a client without a token can ask (girder/api/v1/user.py, 3 and 5).
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

/** The id of the user who owns a Girder job, which Girder shows to administrators; null if Girder does not say. */
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

/** The login of the user who owns the client's token; null if Girder does not say. */
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
