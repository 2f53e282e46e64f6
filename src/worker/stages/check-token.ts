import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { mayWrite, readToken, type TokenFacts } from '../../girder/api/access-token.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { clientFor } from '../../girder/api/client.js';
import { expiredAdvice } from '../../girder/api/girder-error.js';
import type { Run } from '../run-state/run.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/** A token that lives for less than this many milliseconds may be gone before the outputs are there. */
const shortMs = 24 * 60 * 60 * 1_000;

/**
 * Fails a run whose outputs Girder would refuse, before anything is computed for them: inputs are fetched at once and tell
 * of a bad token by themselves, outputs are uploaded hours or days later. Where Girder does not say how it is with the
 * token, the run goes on.
 * @throws DsaSlurmError with the reason for the slide's owner; an abort error if `signal` aborts.
 */
export async function checkToken(
  run: Run,
  { hooks }: Analysis,
  { girderJob, signal }: StageContext,
  services: WorkerServices,
): Promise<void> {
  const log = services.log.child({ run: run.id });
  // all tokens of a message are made in one moment, so one of them tells of all
  const output = hooks.find(({ kind }) => kind !== 'jobArtifact');
  if (output === undefined) return;
  let facts: TokenFacts | null;
  try {
    facts = await readToken(clientFor(output.access, services.girderSetup(run)), signal);
  } catch (error) {
    signal.throwIfAborted();
    log.debug({ why: errorLine(error) }, 'Girder does not say how long the token lives');
    return;
  }
  if (facts === null) {
    throw new DsaSlurmError(
      'girder',
      'Girder no longer knows the token with which the outputs would be uploaded: it has expired or was withdrawn. Nothing was computed.',
      { next: expiredAdvice },
    );
  }
  if (!mayWrite(facts)) {
    throw new DsaSlurmError(
      'girder',
      'The token with which the outputs would be uploaded is for something else: Girder allows no writing with it. Nothing was computed.',
      { next: 'Show this to the people who run Girder.' },
    );
  }
  if (facts.expires === null) return;
  const left = facts.expires - services.clock.now();
  log.info({ expires: new Date(facts.expires).toISOString() }, 'outputs can be uploaded until then');
  if (left < shortMs) {
    const until = new Date(facts.expires).toISOString().slice(0, 16).replace('T', ' ');
    girderJob.log(
      `Girder takes the outputs of this analysis until ${until} UTC; what is ready later is lost.\n`,
    );
  }
}
