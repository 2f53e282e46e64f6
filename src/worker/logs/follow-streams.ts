import { DsaSlurmError, errorLine } from '../../base/errors.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { sendStream } from '../../girder/transfer/send-stream.js';
import { streamsOf, type StreamConnector, type StreamSink } from '../../girder/protocol/streams.js';
import { readPiece, sizeOfLog, wholeCharacters } from './log-file.js';
import { streamOffset } from './log-offsets.js';
import { createProgressLines } from './progress-lines.js';
import type { Services, StageContext } from '../worker-services.js';

/** Longest interval, in milliseconds, at which a file that does not grow is polled. */
const maxPollMs = 5_000;

type StreamServices = Services<'runStore' | 'clock' | 'log' | 'settings' | 'girderSetup'>;

/**
 * Forwards what the container writes to its pipes and connected streams until `ended` aborts, and then the rest. A stream
 * that cannot be delivered is journaled as the reason why the run fails, and `onBroken` is called; nothing is thrown.
 * Memory use does not depend on the size of a stream.
 */
export async function followStreams(
  context: StageContext,
  analysis: Analysis,
  services: StreamServices,
  ended: AbortSignal,
  onBroken: () => void,
): Promise<void> {
  const { runStore, log } = services;
  await Promise.all(
    streamsOf(analysis).map(async (connector, index) => {
      const run = runStore.get(context.id);
      const file = fileOf(connector, index, run?.staged?.pipes, run?.submission?.streams);
      if (file === null || run === undefined || run.brokenStream !== null) return;
      const follow: Follow = { context, services, ended, file, index };
      try {
        if (connector.kind === 'progress') await followProgress(follow);
        else if (connector.kind !== 'input') await followInto(connector.sink, follow);
      } catch (error) {
        // interrupted by a cancel, or because the worker stops
        if (context.signal.aborted) return;
        const reason = error instanceof DsaSlurmError ? errorLine(error) : 'A stream could not be read.';
        log.warn({ run: context.id, stream: index, why: errorLine(error) }, 'a stream is broken');
        await runStore.record(context.id, { type: 'stream-broken', reason });
        onBroken();
      }
    }),
  );
}

interface Follow {
  context: StageContext;
  services: StreamServices;
  ended: AbortSignal;
  file: string;
  index: number;
}

function fileOf(
  connector: StreamConnector,
  index: number,
  pipes: readonly (string | null)[] | undefined,
  streams: { stdout?: string; stderr?: string } | undefined,
): string | null {
  if (connector.kind === 'container') return streams?.[connector.stream] ?? null;
  return pipes?.[index] ?? null;
}

async function followInto(sink: StreamSink, follow: Follow): Promise<void> {
  if (sink.kind === 'girderLog') await followIntoLog(follow);
  else await followIntoPost(sink, follow);
}

/** Only the latest progress counts, so after a restart the file is read again from its start. */
async function followProgress(follow: Follow): Promise<void> {
  const { context, services } = follow;
  const lines = createProgressLines();
  for await (const { bytes, restarted } of growth(follow, 0)) {
    if (restarted) lines.restart();
    const progress = lines.push(bytes);
    if (progress === null) continue;
    context.girderJob.progress(progress);
    services.runStore.recordVolatile(context.id, { type: 'progress', progress });
  }
}

/** An incomplete character counts as not read. Resolves once Girder has everything. */
async function followIntoLog(follow: Follow): Promise<void> {
  const { context, services, index } = follow;
  const { girderJob, stopping, id } = context;
  const from = services.runStore.get(id)?.streamOffsets[index] ?? 0;
  let pending = Buffer.alloc(0);
  for await (const { bytes, offset, restarted } of growth(follow, from)) {
    const all = restarted ? Buffer.from(bytes) : Buffer.concat([pending, bytes]);
    const whole = wholeCharacters(all);
    pending = all.subarray(whole);
    girderJob.log(all.toString('utf8', 0, whole), streamOffset(index, offset - pending.length));
    await girderJob.waitForRoom(stopping);
  }
  await girderJob.flush(stopping);
}

/**
 * One POST for the whole stream. After a restart of the worker, or when a requeue truncates the file, the POST is repeated
 * from the start of the file. The POST of a canceled run is aborted, so that a partial stream does not look complete.
 */
async function followIntoPost(sink: Extract<StreamSink, { kind: 'http' }>, follow: Follow): Promise<void> {
  const { context, services } = follow;
  const run = services.runStore.get(context.id);
  if (run === undefined) return;
  for (;;) {
    let restarted = false;
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of growth(follow, 0)) {
        restarted = piece.restarted;
        if (restarted) throw new Error('the stream starts over');
        yield piece.bytes;
      }
    };
    try {
      await sendStream(sink, pieces(), { ...services.girderSetup(run), signal: context.signal });
      return;
    } catch (error) {
      if (!restarted) throw error;
    }
  }
}

interface Grown {
  bytes: Uint8Array;
  /** Where these bytes end in the file. */
  offset: number;
  /** The file was truncated: these are its first bytes. */
  restarted: boolean;
}

/** Yields what is appended to a file after `from` until the job has ended, and then what the file contains at that time. */
async function* growth({ context, services, ended, file }: Follow, from: number): AsyncGenerator<Grown> {
  const { stopping } = context;
  const pollMs = services.settings.girder.reportSeconds * 1_000;
  let offset = from;
  let wait = pollMs;
  for (;;) {
    const last = ended.aborted;
    const end = last ? await sizeOfLog(file) : Infinity;
    let grown = false;
    for (let more = true; more && !stopping.aborted;) {
      const { bytes, restarted, atEnd, ...piece } = await readPiece(file, offset);
      offset = piece.offset;
      more = !atEnd && offset < end;
      if (bytes.length === 0 && !restarted) continue;
      grown = true;
      yield { bytes, offset, restarted };
    }
    if (last || stopping.aborted) return;
    wait = grown ? pollMs : Math.min(wait * 1.5, Math.max(pollMs, maxPollMs));
    await services.clock.sleep(wait, ended);
  }
}
