import { Readable } from 'node:stream';
import { request } from 'undici';
import { coerceError, DsaSlurmError } from '../../base/errors.js';
import { mapApiUrl } from '../api/api-url.js';
import type { GirderSetup } from '../api/client.js';
import type { StreamSink } from '../protocol/streams.js';

/** Timeout, in milliseconds, for the receiver to accept a chunk or to respond after the last one. */
const stalledMs = 120_000;

/**
 * Sends a stream as one `POST` with Transfer-Encoding chunked (contract, section d). It is never retried, because the receiver
 * may have processed a part of it.
 * @throws DsaSlurmError if it cannot be sent or the status is 300 or above; errors of `pieces`; the reason of `signal`. No
 * error contains the URL's query or a header.
 */
export async function sendStream(
  sink: Extract<StreamSink, { kind: 'http' }>,
  pieces: AsyncIterable<Uint8Array>,
  { connections, apiUrlMap, clock, signal }: GirderSetup & { signal: AbortSignal },
): Promise<void> {
  const url = new URL(mapApiUrl(sink.url, apiUrlMap));
  const stalled = new AbortController();
  let watch = new AbortController();
  let bodyError: unknown = null;

  /** Throws on abort between two pieces, so that a partial stream does not look complete. */
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of pieces) {
        signal.throwIfAborted();
        await connections.mayWrite();
        expectProgress();
        yield piece;
        watch.abort();
      }
      signal.throwIfAborted();
    } catch (error) {
      bodyError = error;
      throw error;
    }
    expectProgress();
  }

  /** Starts the timeout for the receiver. */
  function expectProgress(): void {
    watch = new AbortController();
    void abortUnless(watch.signal);
  }

  async function abortUnless(done: AbortSignal): Promise<void> {
    await clock.sleep(stalledMs, done);
    if (!done.aborted) stalled.abort();
  }

  try {
    const answer = await request(url, {
      method: 'POST',
      headers: sink.headers,
      body: Readable.from(body(), { objectMode: false }),
      dispatcher: connections.dispatcher(),
      // a container may be silent for hours; `expectProgress` detects a silent receiver
      headersTimeout: 0,
      signal: AbortSignal.any([signal, stalled.signal]),
    });
    answer.body.on('error', () => undefined).destroy();
    if (answer.statusCode >= 300) throw refused(url, `answered ${answer.statusCode}`);
  } catch (error) {
    if (bodyError !== null) throw bodyError;
    signal.throwIfAborted();
    if (error instanceof DsaSlurmError) throw error;
    const why = stalled.signal.aborted
      ? 'does not accept it'
      : 'could not be reached or closed the connection';
    throw refused(url, why, coerceError(error));
  } finally {
    watch.abort();
  }
}

function refused({ host }: URL, why: string, cause?: Error): DsaSlurmError {
  return new DsaSlurmError('girder', `A stream of the analysis could not be sent: ${host} ${why}.`, {
    next: 'Check the receiver of the stream.',
    ...(cause === undefined ? {} : { cause }),
  });
}
