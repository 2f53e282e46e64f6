import type { Analysis, GirderAccess, VolumeRef } from './analysis.js';

/** A named pipe of the message. Here it is a plain file: a FIFO does not reach another host. */
export interface PipeRef {
  /** Below the volume; as published, made safe where the file is made. */
  name: string;
  volume: VolumeRef;
}

/** Where a stream of the container goes. */
export type StreamSink =
  /** One `POST` with Transfer-Encoding chunked. `url` and `headers` may hold secrets and are never shown. */
  | { kind: 'http'; url: string; headers: Readonly<Record<string, string>> }
  /** The log of the Girder job: what the Python worker wrote to its own standard streams went there. */
  | { kind: 'girderLog' };

/** A connection of a container's stream (contract, section d, "Streams"). Equal `identity`: the producer's same object. */
export type StreamConnector =
  /** A file of Girder, in place before the job begins. */
  | { kind: 'input'; identity: string; pipe: PipeRef; access: GirderAccess; fileId: string }
  /** A file that the container writes and the worker follows. */
  | { kind: 'output'; identity: string; pipe: PipeRef; sink: StreamSink }
  /** The same, with one JSON object a line: `{total, current, message}`, each optional. */
  | { kind: 'progress'; identity: string; pipe: PipeRef }
  /** What the container says, kept out of the job's own log. */
  | { kind: 'container'; identity: string; stream: 'stdout' | 'stderr'; sink: StreamSink };

/** All streams of an analysis: those among its arguments, then the others; each object once. */
export function streamsOf({ args, streams }: Pick<Analysis, 'args' | 'streams'>): StreamConnector[] {
  const among = args.flatMap((argument) => (argument.kind === 'stream' ? [argument.connector] : []));
  const all = new Map<string, StreamConnector>();
  for (const connector of [...among, ...streams]) {
    if (!all.has(connector.identity)) all.set(connector.identity, connector);
  }
  return [...all.values()];
}
