import type { Settings } from '../../config/schema.js';
import type { GirderAccess } from '../../girder/protocol/analysis.js';
import { clientFor, createGirderClient, type GirderSetup } from '../../girder/api/client.js';
import { createAdminClient } from '../../girder/api/admin-client.js';
import { fetchJobOwner, fetchOwnLogin, fetchUserLogin } from '../../girder/api/user.js';

/** What a task says of the user who has started it. */
export interface UserQuestion {
  setup: GirderSetup;
  /** As a transform of the task has it; null for a task without. */
  access: GirderAccess | null;
  /** The access is the user's own, and not that of a transform, which may not ask whose it is. */
  isOwnToken: boolean;
  ownerId: string | null;
  girderJobId: string | null;
  signal: AbortSignal;
}

/** The login of the user who has started a task, for people to read; null if nobody says. Never throws. */
export type UserSearch = (question: UserQuestion) => Promise<string | null>;

/**
 * Girder answers `null` to the token of a transform that asks for its user. A public user's login is told to anybody who
 * knows the id; for all others, and for tasks without outputs, it takes `girder.apiKey`.
 */
export function createUserSearch(
  options: Omit<GirderSetup, 'apiUrlMap'> & { girder: Settings['girder'] },
): UserSearch {
  const { apiKey, apiUrl, apiUrlMap } = options.girder;
  const keyClient =
    apiKey === null || apiUrl === null ? null : createAdminClient({ ...options, apiUrl, apiKey, apiUrlMap });
  return async ({ setup, access, isOwnToken, ownerId, girderJobId, signal }) => {
    if (isOwnToken) return access === null ? null : fetchOwnLogin(clientFor(access, setup), signal);
    const canAsk = keyClient !== null && girderJobId !== null;
    const userId = ownerId ?? (canAsk ? await fetchJobOwner(keyClient, girderJobId, signal) : null);
    if (userId === null) return null;
    const nobody =
      access === null ? null : createGirderClient({ ...setup, apiUrl: access.apiUrl, token: null });
    const login = nobody === null ? null : await fetchUserLogin(nobody, userId, signal);
    return login ?? (keyClient === null ? null : fetchUserLogin(keyClient, userId, signal));
  };
}
