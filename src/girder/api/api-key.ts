import { z } from 'zod';
import type { GirderClient } from './client.js';

const tokenAnswer = z.object({ authToken: z.object({ token: z.string(), scope: z.array(z.string()) }) });

/**
 * Exchanges an API key for a token (contract, section k).
 * @param client without a token
 * @param request.days lifetime of the token
 * @throws GirderError
 */
export async function loginWithApiKey(
  client: GirderClient,
  request: { apiKey: string; days: number; answerMs?: number; signal?: AbortSignal | undefined },
): Promise<{ token: string; scope: string[] }> {
  const { apiKey, days, ...limits } = request;
  const { authToken } = await client.json(tokenAnswer, {
    method: 'POST',
    path: 'api_key/token',
    // in the body: proxies log query strings
    form: { key: apiKey, duration: String(days) },
    attempts: 1,
    ...limits,
  });
  return authToken;
}
