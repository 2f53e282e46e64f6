import * as z from 'zod';
import { mapApiUrl } from '../../../girder/api/api-url.js';
import { GirderError } from '../../../girder/api/girder-error.js';
import { journalPath, readJournal } from '../../../worker/run-state/read-journal.js';
import type { Check } from '../../check.js';
import { configSet, fail, ok, skip } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';

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
    const published = settings.girder.apiUrl === null ? await publishedAddress(settings.dirs.state) : null;
    const apiUrl =
      settings.girder.apiUrl ?? (published === null ? null : mapApiUrl(published, settings.girder.apiUrlMap));
    if (apiUrl === null) {
      return skip(
        'girder.apiUrl is not set: tasks tell the address, so nothing can be asked before one comes',
      );
    }
    const source = published === null ? '' : ', as the last task said';
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
      return { ...ok(`Girder ${release} at ${apiUrl}${source}`), fact };
    } catch (thrown) {
      if (!(thrown instanceof GirderError)) throw thrown;
      if (published !== null) {
        const origin = published.replace(/\/api\/v1$/, '');
        return fail(
          `The last task said that Girder is at ${published}, and runs wait: ${thrown.message}`,
          configSet(profile, 'girder.apiUrlMap', `${origin}=http://localhost:8080`),
        );
      }
      const fix =
        thrown.kind === 'unreachable'
          ? `curl -sS ${apiUrl}/system/version   # from this machine; is Girder up, and this its address?`
          : configSet(profile, 'girder.apiUrl', 'http://localhost:8080/api/v1');
      return fail(thrown.message, fix);
    }
  },
};

/** The address that the newest run in the journal came with; null where there is none. */
async function publishedAddress(stateDirectory: string): Promise<string | null> {
  const { runs } = await readJournal(journalPath(stateDirectory));
  const pages = [...runs.values()].flatMap(({ acceptedAt, facts }) =>
    typeof facts?.girderUrl === 'string' ? [{ acceptedAt, page: facts.girderUrl }] : [],
  );
  const newest = pages.toSorted((a, b) => b.acceptedAt - a.acceptedAt)[0];
  return newest === undefined ? null : newest.page.replace(/\/#job\/.*$/, '/api/v1');
}
