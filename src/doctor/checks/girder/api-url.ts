import * as z from 'zod';
import { mapApiUrl } from '../../../girder/api/api-url.js';
import { GirderError } from '../../../girder/api/girder-error.js';
import type { Check } from '../../check.js';
import { fail, ok, skip, warn } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';

/** Girder's address in tasks, as this worker would use it. */
export const apiUrl: Check = {
  id: 'girder.api-url',
  group: 'girder',
  title: "Girder's address in tasks",
  needs: ['girder.settings'],
  async run(context) {
    const { settings, needed, signal } = context;
    const published = needed('girder.settings')?.theirs['worker.api_url'] ?? '';
    if (published === '') return skip('worker.api_url is not set in Girder');
    const own = settings.girder.apiUrl;
    const used = own ?? mapApiUrl(published, settings.girder.apiUrlMap);
    const isReplaced = own !== null && own !== published;
    const replaced = `this worker uses ${own ?? ''} instead (girder.apiUrl)`;
    try {
      await withGirder(context, { apiUrl: isReplaced ? published : used, token: null }, async (client) =>
        client.json(z.object({ release: z.string() }), {
          method: 'GET',
          path: 'system/version',
          attempts: 1,
          signal,
        }),
      );
      return ok(
        isReplaced ? `tasks have ${published}; ${replaced}` : `${published} reaches Girder from here`,
      );
    } catch (thrown) {
      if (!(thrown instanceof GirderError)) throw thrown;
      if (isReplaced) {
        return warn(
          `Tasks have the address ${published}, which does not work from this host; ${replaced}. Other workers and Girder's web pages use that address.`,
          "Set worker.api_url in Girder to an address that works inside and outside of Girder's container.",
        );
      }
      return fail(
        `Tasks have the address ${published}, which does not work from this host: ${thrown.message}`,
        `dsa-slurm config set girder.apiUrlMap ${published.replace(/\/api\/v1$/, '')}=http://localhost:8080`,
      );
    }
  },
};
