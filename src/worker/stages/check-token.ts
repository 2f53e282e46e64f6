import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { mayWrite, readToken, type TokenFacts } from '../../girder/api/access-token.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { clientFor } from '../../girder/api/client.js';
import { expiredAdvice } from '../../girder/api/girder-error.js';
import type { Run } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';

/** A token that expires sooner than this many milliseconds from now may expire before the outputs are ready. */
const shortMs = 24 * 60 * 60 * 1_000;

/**
 * Fails a run whose outputs Girder would refuse, before anything is computed: inputs are downloaded at once, which
 * reveals a bad token, but outputs are uploaded hours or days later. If Girder does not answer, the run continues.
 * @throws DsaSlurmError with the reason for the slide's owner; an abort error if `signal` aborts.
 */
export async function checkToken(
  run: Run,
  { hooks }: Analysis,
  { girderJob, signal }: StageContext,
  services: Services<'log' | 'clock' | 'girderSetup'>,
): Promise<void> {
  const log = services.log.child({ run: run.id });
  // all tokens of a message are created together, so checking one is enough
  const output = hooks.find(({ kind }) => kind !== 'jobArtifact');
  if (output === undefined) return;
  let facts: TokenFacts | null;
  try {
    facts = await readToken(clientFor(output.access, services.girderSetup(run)), signal);
  } catch (error) {
    signal.throwIfAborted();
    log.debug({ why: errorLine(error) }, 'Girder did not say when the token expires');
    return;
  }
  if (facts === null) {
    throw new DsaSlurmError(
      'girder',
      'The Girder token for uploading the outputs has expired or was revoked. The analysis was not started.',
      { next: expiredAdvice },
    );
  }
  if (!mayWrite(facts)) {
    throw new DsaSlurmError(
      'girder',
      'The Girder token for uploading the outputs has no write access. The analysis was not started.',
      { next: 'Report this to your Girder administrator.' },
    );
  }
  if (facts.expires === null) return;
  const left = facts.expires - services.clock.now();
  log.info({ expires: new Date(facts.expires).toISOString() }, 'the upload token is valid until then');
  if (left < shortMs) {
    const until = new Date(facts.expires).toISOString().slice(0, 16).replace('T', ' ');
    girderJob.log(
      `Outputs can be uploaded to Girder until ${until} UTC. Outputs that are ready later are lost.\n`,
    );
  }
}
