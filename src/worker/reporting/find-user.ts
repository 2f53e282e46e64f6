import type { Settings } from '../../config/schema.js';
import type { GirderAccess } from '../../girder/protocol/analysis.js';
import { clientFor, createGirderClient, type GirderSetup } from '../../girder/api/client.js';
import { createAdminClient } from '../../girder/api/admin-client.js';
import { fetchJobOwner, fetchOwnLogin, fetchUserLogin } from '../../girder/api/user.js';

/** What a task says about the user who started it. */
export interface UserQuestion {
  setup: GirderSetup;
  /** Access of one of the task's transforms; null if there is none. */
  access: GirderAccess | null;
  /** Whether the token is the user's own. That of a transform cannot query its user. */
  isOwnToken: boolean;
  ownerId: string | null;
  girderJobId: string | null;
  signal: AbortSignal;
}

/** The login of the user who started a task, for display; null if it is unknown. Never throws. */
export type UserSearch = (question: UserQuestion) => Promise<string | null>;

/**
 * Girder answers `null` if the token of a transform queries its user. The login of a public user is visible to anyone who
 * knows the id; all other logins, and those of tasks without outputs, require `girder.apiKey`.
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
    const anonymous =
      access === null ? null : createGirderClient({ ...setup, apiUrl: access.apiUrl, token: null });
    const login = anonymous === null ? null : await fetchUserLogin(anonymous, userId, signal);
    return login ?? (keyClient === null ? null : fetchUserLogin(keyClient, userId, signal));
  };
}
