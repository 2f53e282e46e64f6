import * as z from 'zod';
import { GirderError } from '../../../girder/girder-error.js';
import type { Check } from '../../check.js';
import { configSet, fail, ok, skip } from '../../finding.js';
import { withGirder } from '../../girder.js';

/** Girder as it is reached from here. */
export interface GirderFacts {
  apiUrl: string;
  major: number;
  /** Seconds that its clock is ahead of ours; null where it does not tell. */
  skew: number | null;
}

const answer = z.object({ release: z.string() });

export const reach: Check = {
  id: 'girder.reach',
  group: 'girder',
  title: 'reachable, and its version',
  async run(context) {
    const { settings, profile, clock, signal } = context;
    const { apiUrl } = settings.girder;
    if (apiUrl === null) {
      return skip(
        'girder.apiUrl is not set: tasks tell the address, so nothing can be asked before one comes',
      );
    }
    try {
      const { release, skew } = await withGirder(context, { apiUrl, token: null }, async (client) => {
        const asked = clock.now();
        const head = await client.open({ method: 'GET', path: 'system/version', answerMs: 4_000, signal });
        await head.body.dump();
        const date = Date.parse(String(head.headers['date']));
        const { release } = await client.json(answer, {
          method: 'GET',
          path: 'system/version',
          attempts: 1,
          signal,
        });
        return { release, skew: Number.isNaN(date) ? null : (date - asked) / 1_000 };
      });
      const major = Number(release.split('.')[0]);
      const fact: GirderFacts = { apiUrl, major, skew };
      if (major !== 3 && major !== 5) {
        return {
          ...fail(`Girder ${release} at ${apiUrl}: only 3 and 5 are known.`, 'Use Girder 3 or 5.'),
          fact,
        };
      }
      return { ...ok(`Girder ${release} at ${apiUrl}`), fact };
    } catch (thrown) {
      if (!(thrown instanceof GirderError)) throw thrown;
      const fix =
        thrown.trouble === 'unreachable'
          ? `curl -sS ${apiUrl}/system/version   # from this machine; is Girder up, and this its address?`
          : configSet(profile, 'girder.apiUrl', 'http://localhost:8080/api/v1');
      return fail(thrown.message, fix);
    }
  },
};
