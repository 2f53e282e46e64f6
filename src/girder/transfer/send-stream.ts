import { Readable } from 'node:stream';
import { request } from 'undici';
import { coerceError, DsaSlurmError } from '../../base/errors.js';
import { mapApiUrl } from '../api/api-url.js';
import type { GirderSetup } from '../api/client.js';
import type { StreamSink } from '../protocol/streams.js';

/** Milliseconds that a receiver may take nothing, or not answer once it has all. */
const stalledMs = 120_000;

/**
 * Sends a stream as one `POST` with Transfer-Encoding chunked, a chunk for each piece (contract, section d). There is no
 * second attempt: nobody knows what the receiver did with the first.
 * @throws DsaSlurmError if it cannot be sent, or the answer is 300 or above; whatever `pieces` throws; the reason of
 * `signal`. No error shows the URL's query or a header.
 */
export async function sendStream(
  sink: Extract<StreamSink, { kind: 'http' }>,
  pieces: AsyncIterable<Uint8Array>,
  { connections, apiUrlMap, clock, signal }: GirderSetup & { signal: AbortSignal },
): Promise<void> {
  const url = new URL(mapApiUrl(sink.url, apiUrlMap));
  const stalled = new AbortController();
  let watch = new AbortController();
  let own: unknown = null;

  /** Whoever is behind `signal` stops between two pieces, and half a stream must not look like a whole one. */
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of pieces) {
        signal.throwIfAborted();
        await connections.mayWrite();
        expect();
        yield piece;
        watch.abort();
      }
      signal.throwIfAborted();
    } catch (error) {
      own = error;
      throw error;
    }
    expect();
  }

  /** From now on the receiver has to do something. */
  function expect(): void {
    watch = new AbortController();
    void giveUpUnless(watch.signal);
  }

  async function giveUpUnless(done: AbortSignal): Promise<void> {
    await clock.sleep(stalledMs, done);
    if (!done.aborted) stalled.abort();
  }

  try {
    const answer = await request(url, {
      method: 'POST',
      headers: sink.headers,
      body: Readable.from(watched(), { objectMode: false }),
      dispatcher: connections.dispatcher(),
      // a container may be silent for hours; a silent receiver is seen by `expect`
      headersTimeout: 0,
      signal: AbortSignal.any([signal, stalled.signal]),
    });
    answer.body.on('error', () => undefined).destroy();
    if (answer.statusCode >= 300) throw refused(url, `answered ${answer.statusCode}`);
  } catch (error) {
    if (own !== null) throw own;
    signal.throwIfAborted();
    if (error instanceof DsaSlurmError) throw error;
    const why = stalled.signal.aborted ? 'does not take it' : 'cannot be reached or broke off';
    throw refused(url, why, coerceError(error));
  } finally {
    watch.abort();
  }
}

function refused({ host }: URL, why: string, cause?: Error): DsaSlurmError {
  return new DsaSlurmError('girder', `A stream of the analysis could not be sent: ${host} ${why}.`, {
    next: 'Look at the receiver of the stream.',
    ...(cause === undefined ? {} : { cause }),
  });
}
