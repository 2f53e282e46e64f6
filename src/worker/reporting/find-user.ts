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

/** Users whose login is remembered; the oldest one is forgotten first. */
const rememberedUsers = 500;
/** How long a login is remembered, in milliseconds: it can be changed. */
const rememberMs = 10 * 60_000;

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
  /** Logins by Girder and id: the runs of a batch have one owner. */
  const known = new Map<string, { login: Promise<string | null>; until: number }>();

  async function remember(key: string, ask: () => Promise<string | null>): Promise<string | null> {
    const before = known.get(key);
    if (before !== undefined && options.clock.monotonic() < before.until) return before.login;
    const login = ask();
    known.delete(key);
    known.set(key, { login, until: options.clock.monotonic() + rememberMs });
    if (known.size > rememberedUsers) known.delete(known.keys().next().value ?? '');
    // without an answer, the next run asks again
    if ((await login) === null && known.get(key)?.login === login) known.delete(key);
    return login;
  }

  return async ({ setup, access, isOwnToken, ownerId, girderJobId, signal }) => {
    if (isOwnToken) return access === null ? null : fetchOwnLogin(clientFor(access, setup), signal);
    const canAsk = keyClient !== null && girderJobId !== null;
    const userId = ownerId ?? (canAsk ? await fetchJobOwner(keyClient, girderJobId, signal) : null);
    if (userId === null) return null;
    const anonymous =
      access === null ? null : createGirderClient({ ...setup, apiUrl: access.apiUrl, token: null });
    return remember(JSON.stringify([access?.apiUrl, userId]), async () => {
      const login = anonymous === null ? null : await fetchUserLogin(anonymous, userId, signal);
      return login ?? (keyClient === null ? null : fetchUserLogin(keyClient, userId, signal));
    });
  };
}
