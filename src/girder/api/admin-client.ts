import { loginWithApiKey } from './api-key.js';
import { createGirderClient, type GirderClient, type GirderSetup } from './client.js';
import { GirderError } from './girder-error.js';

/** Response timeout in milliseconds. Short, because these requests are optional. */
const answerMs = 10_000;

/**
 * A client that acts as the owner of an API key. It logs in on the first request, and once more when Girder rejects the token.
 * A request is sent once, because the callers can do without the answer.
 */
export function createAdminClient(
  options: GirderSetup & { apiUrl: string; apiKey: string },
): Pick<GirderClient, 'json'> {
  const { apiKey, ...setup } = options;
  let token: string | null = null;

  const ask: GirderClient['json'] = async (schema, request) => {
    token ??= (
      await loginWithApiKey(createGirderClient({ ...setup, token: null }), { apiKey, days: 1, answerMs })
    ).token;
    return createGirderClient({ ...setup, token }).json(schema, { attempts: 1, answerMs, ...request });
  };

  return {
    async json(schema, request) {
      const hadToken = token !== null;
      try {
        return await ask(schema, request);
      } catch (error) {
        const isOld = hadToken && error instanceof GirderError && error.kind === 'access';
        if (!isOld) throw error;
        token = null;
        return ask(schema, request);
      }
    },
  };
}
