import type { Analysis, GirderAccess, VolumeRef } from './analysis.js';

/** A named pipe of the message, replaced by a regular file because a FIFO does not work across hosts. */
export interface PipeRef {
  /** Relative to the volume; as published, and sanitized when the file is created. */
  name: string;
  volume: VolumeRef;
}

/** Where a stream of the container goes. */
export type StreamSink =
  /** One `POST` with Transfer-Encoding chunked. `url` and `headers` may contain secrets: never show them. */
  | { kind: 'http'; url: string; headers: Readonly<Record<string, string>> }
  /** The log of the Girder job, where the standard output of the Python worker goes. */
  | { kind: 'girderLog' };

/** A stream of the container (contract, section d, "Streams"). Equal `identity`: the same Python object. */
export type StreamConnector =
  /** A file of Girder, downloaded before the job starts. */
  | { kind: 'input'; identity: string; pipe: PipeRef; access: GirderAccess; fileId: string }
  /** A file that the container writes and the worker follows. */
  | { kind: 'output'; identity: string; pipe: PipeRef; sink: StreamSink }
  /** The same, with one JSON object per line: `{total, current, message}`, each optional. */
  | { kind: 'progress'; identity: string; pipe: PipeRef }
  /** stdout or stderr of the container, kept out of the log of the Slurm job. */
  | { kind: 'container'; identity: string; stream: 'stdout' | 'stderr'; sink: StreamSink };

/** All streams of an analysis, each once: those among the arguments, then the others. */
export function streamsOf({ args, streams }: Pick<Analysis, 'args' | 'streams'>): StreamConnector[] {
  const among = args.flatMap((argument) => (argument.kind === 'stream' ? [argument.connector] : []));
  const all = new Map<string, StreamConnector>();
  for (const connector of [...among, ...streams]) {
    if (!all.has(connector.identity)) all.set(connector.identity, connector);
  }
  return [...all.values()];
}
