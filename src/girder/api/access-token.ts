import { z } from 'zod';
import type { GirderClient } from './client.js';

/** What Girder says of the token that asks. */
export interface TokenFacts {
  /** Milliseconds since the epoch; null where Girder does not say. */
  expires: number | null;
  /** Null: a token without scopes is for everything (girder/models/token.py). */
  scopes: readonly string[] | null;
}

/** Tokens in a message live for so many milliseconds from its publication on (contract, section b). */
export const tokenLifeMs = 7 * 24 * 60 * 60_000;

export const tokenPath = 'token/current';

/** The document holds the token itself; only this is taken of it. */
const tokenDocument = z
  .object({ expires: z.string().nullish(), scope: z.array(z.string()).nullish() })
  .transform(({ expires, scope }) => {
    const at = Date.parse(expires ?? '');
    return { expires: Number.isNaN(at) ? null : at, scopes: scope ?? null };
  })
  .nullable();

/**
 * Asks Girder about the client's own token: `GET token/current`, which anyone may ask (girder/api/v1/token.py, 3 and 5).
 * Null: Girder knows no such token, because it has expired or was withdrawn.
 * @throws GirderError when Girder does not answer
 */
export async function readToken(
  client: Pick<GirderClient, 'json'>,
  signal?: AbortSignal,
): Promise<TokenFacts | null> {
  return client.json(tokenDocument, { method: 'GET', path: tokenPath, attempts: 2, signal });
}

/** Scopes that allow what an output needs; a token for everything has the first. */
const writingScopes = ['core.user_auth', 'core.data.write'];

export function mayWrite({ scopes }: TokenFacts): boolean {
  return scopes === null || scopes.some((scope) => writingScopes.includes(scope));
}
