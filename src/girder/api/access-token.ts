import { z } from 'zod';
import type { GirderClient } from './client.js';

/** What Girder reports about a token. */
export interface TokenFacts {
  /** Milliseconds since the epoch; null if Girder does not say. */
  expires: number | null;
  /** Null: a token without scopes is valid for everything (girder/models/token.py). */
  scopes: readonly string[] | null;
}

/** Lifetime of the tokens in a message, in milliseconds from its publication (contract, section b). */
export const tokenLifeMs = 7 * 24 * 60 * 60_000;

export const tokenPath = 'token/current';

/** The response contains the token itself; only these fields are read. */
const tokenDocument = z
  .object({ expires: z.string().nullish(), scope: z.array(z.string()).nullish() })
  .transform(({ expires, scope }) => {
    const at = Date.parse(expires ?? '');
    return { expires: Number.isNaN(at) ? null : at, scopes: scope ?? null };
  })
  .nullable();

/**
 * Reads the client's own token: `GET token/current`, which needs no permission (girder/api/v1/token.py, 3 and 5).
 * @returns null if Girder does not know the token, because it expired or was revoked
 * @throws GirderError when Girder does not answer
 */
export async function readToken(
  client: Pick<GirderClient, 'json'>,
  signal?: AbortSignal,
): Promise<TokenFacts | null> {
  return client.json(tokenDocument, { method: 'GET', path: tokenPath, attempts: 2, signal });
}

/** Scopes that allow uploading an output; an unrestricted token has the first. */
const writingScopes = ['core.user_auth', 'core.data.write'];

export function mayWrite({ scopes }: TokenFacts): boolean {
  return scopes === null || scopes.some((scope) => writingScopes.includes(scope));
}
