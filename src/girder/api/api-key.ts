import { z } from 'zod';
import type { GirderClient } from './client.js';

const tokenAnswer = z.object({ authToken: z.object({ token: z.string(), scope: z.array(z.string()) }) });

/**
 * Turns an API key into a token (contract, section k).
 * @param client of nobody: without a token of its own
 * @param request.days how long the token is good
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
    // in the body: a query would stand in the log of every proxy
    form: { key: apiKey, duration: String(days) },
    attempts: 1,
    ...limits,
  });
  return authToken;
}
