import { z } from 'zod';
import type { Analysis, GirderAccess } from './analysis.js';
import { clientFor, type GirderSetup } from './client.js';

/** How to ask as the user who started the analysis: the first access that an argument or an output carries. */
export function firstAccess({ args, hooks }: Pick<Analysis, 'args' | 'hooks'>): GirderAccess | null {
  for (const part of [...args, ...hooks]) if ('access' in part) return part.access;
  return null;
}

/**
 * The login of the user whose token a transform carries; null if Girder does not say. Only for people to read, so one
 * attempt is enough.
 */
export async function fetchUserLogin(
  access: GirderAccess,
  setup: GirderSetup & { signal?: AbortSignal },
): Promise<string | null> {
  try {
    const user = await clientFor(access, setup).json(z.object({ login: z.string() }).nullable(), {
      method: 'GET',
      path: 'user/me',
      attempts: 1,
      signal: setup.signal,
    });
    return user?.login ?? null;
  } catch {
    return null;
  }
}
