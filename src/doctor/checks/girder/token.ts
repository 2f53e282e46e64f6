import * as z from 'zod';
import { loginWithApiKey } from '../../../girder/api/api-key.js';
import { GirderError } from '../../../girder/api/girder-error.js';
import type { Check } from '../../check.js';
import { configSet, fail, ok, skip, warn } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';
import type { GirderFacts } from './reach.js';

const userAnswer = z.nullable(z.object({ login: z.string(), admin: z.boolean().optional() }));

/** Access to Girder's settings. Never printed. */
export interface GirderAdmin extends GirderFacts {
  token: string;
  isAdmin: boolean;
  /** The key has a limited scope, so Girder's answers may be incomplete. */
  isLimited: boolean;
}

/** Exchanges the API key for a token of one day. */
export const token: Check<'girder.token'> = {
  id: 'girder.token',
  group: 'girder',
  title: 'API key',
  needs: ['girder.reach'],
  async run(context) {
    const { settings, profile, needed, signal } = context;
    const facts = needed('girder.reach');
    const { apiKey } = settings.girder;
    if (apiKey === null) {
      return skip("girder.apiKey is not set, so Girder's settings and images are not checked");
    }
    const fix = `${configSet(profile, 'girder.apiKey', '-')}   # create one in Girder: My account, API keys`;
    try {
      const login = await withGirder(context, { apiUrl: facts.apiUrl, token: null }, async (client) =>
        loginWithApiKey(client, { apiKey, days: 1, signal }),
      );
      const user = await withGirder(context, { apiUrl: facts.apiUrl, token: login.token }, async (client) =>
        client.json(userAnswer, { method: 'GET', path: 'user/me', attempts: 1, signal }),
      );
      const isLimited = !login.scope.includes('core.user_auth');
      const isAdmin = user?.admin === true;
      const fact: GirderAdmin = { ...facts, token: login.token, isAdmin, isLimited };
      if (isLimited) {
        return {
          ...warn(
            `The API key has a limited scope: ${login.scope.join(', ')}. Girder's plugins, settings and images cannot be checked with it.`,
            fix,
          ),
          fact,
        };
      }
      const evidence = `user ${user?.login ?? 'nobody'}${fact.isAdmin ? ', an administrator' : ''}; scope ${login.scope.join(', ')}`;
      if (fact.isAdmin) return { ...ok(evidence), fact };
      return { ...warn(`${evidence}. Only an administrator can read Girder's settings.`, fix), fact };
    } catch (thrown) {
      if (!(thrown instanceof GirderError)) throw thrown;
      return fail(`Girder rejected the API key: ${thrown.girderMessage ?? thrown.message}`, fix);
    }
  },
};
