import * as z from 'zod';
import { mapApiUrl } from '../../../girder/api/api-url.js';
import { GirderError } from '../../../girder/api/girder-error.js';
import { journalPath, readJournal } from '../../../worker/run-state/read-journal.js';
import type { Check } from '../../check.js';
import { configSet, fail, ok, skip } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';

/** Address and version of Girder. */
export interface GirderFacts {
  apiUrl: string;
  major: number;
  /** Seconds that its clock is ahead; null if it sends no date. */
  skew: number | null;
}

const answer = z.object({ release: z.string() });

export const reach: Check<'girder.reach'> = {
  id: 'girder.reach',
  group: 'girder',
  title: 'connection and version',
  async run(context) {
    const { settings, profile, clock, signal } = context;
    const published = settings.girder.apiUrl === null ? await publishedAddress(settings.dirs.state) : null;
    const apiUrl =
      settings.girder.apiUrl ?? (published === null ? null : mapApiUrl(published, settings.girder.apiUrlMap));
    if (apiUrl === null) {
      return skip('girder.apiUrl is not set: the address is known once a task has arrived');
    }
    const source = published === null ? '' : ', from the last task';
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
          ...fail(`Girder ${release} at ${apiUrl} is not supported.`, 'Use Girder 3 or 5.'),
          fact,
        };
      }
      return { ...ok(`Girder ${release} at ${apiUrl}${source}`), fact };
    } catch (thrown) {
      if (!(thrown instanceof GirderError)) throw thrown;
      if (published !== null) {
        const origin = published.replace(/\/api\/v1$/, '');
        return fail(
          `The last task has Girder's address as ${published}, where it does not answer, so runs wait: ${thrown.message}`,
          configSet(profile, 'girder.apiUrlMap', `${origin}=http://localhost:8080`),
        );
      }
      const fix =
        thrown.kind === 'unreachable'
          ? `curl -sS ${apiUrl}/system/version   # is Girder running, and is this its address?`
          : configSet(profile, 'girder.apiUrl', 'http://localhost:8080/api/v1');
      return fail(thrown.message, fix);
    }
  },
};

/** Girder's address in the newest run of the journal; null if there is none. */
async function publishedAddress(stateDirectory: string): Promise<string | null> {
  const { runs } = await readJournal(journalPath(stateDirectory));
  const pages = [...runs.values()].flatMap(({ acceptedAt, facts }) =>
    typeof facts?.girderUrl === 'string' ? [{ acceptedAt, page: facts.girderUrl }] : [],
  );
  const newest = pages.toSorted((a, b) => b.acceptedAt - a.acceptedAt)[0];
  return newest === undefined ? null : newest.page.replace(/\/#job\/.*$/, '/api/v1');
}
