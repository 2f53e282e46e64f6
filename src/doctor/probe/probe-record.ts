import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeDirectory } from '../../base/files/make-directory.js';
import { replaceFile } from '../../base/files/replace-file.js';
import { lookUpFileSystem } from '../file-system.js';
import type { ProbeAnswer } from './probe-job.js';

const proofSchema = z.object({
  /** ISO 8601, UTC. */
  at: z.string(),
  /** `n1 (partition main)` */
  nodes: z.array(z.string()),
});

const recordSchema = z.object({
  version: z.literal(1),
  /** Directories that compute nodes can use, by path. `fileSystem` is the mount on this host: another one needs new proof. */
  directories: z.record(z.string(), proofSchema.extend({ fileSystem: z.string() })),
  /** A container started on the nodes without unpacking its image. */
  container: proofSchema.nullable(),
});

/** What jobs of `init` and `doctor --deep` have proved. */
export type ProbeRecord = z.infer<typeof recordSchema>;
type Proof = z.infer<typeof proofSchema>;

const nothing: ProbeRecord = { version: 1, directories: {}, container: null };
const recordPath = (stateDirectory: string): string => join(stateDirectory, 'probe.json');

/** Reads what was proved before. Never throws: an unreadable record proves nothing. */
export async function readProbeRecord(stateDirectory: string): Promise<ProbeRecord> {
  try {
    const text = await readFile(recordPath(stateDirectory), 'utf8');
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return nothing;
  }
}

/**
 * Keeps what the probes of all partitions have proved, and forgets what they have disproved.
 * @param images the image directory, which nodes only read
 * @param at milliseconds since the epoch
 */
export async function recordProbes(
  stateDirectory: string,
  answers: readonly ProbeAnswer[],
  { images, at }: { images: string | null; at: number },
): Promise<void> {
  const answered = answers.filter((answer) => answer.kind === 'answered');
  if (answered.length === 0) return;
  const record = structuredClone(await readProbeRecord(stateDirectory));
  const proof: Proof = {
    at: new Date(at).toISOString(),
    nodes: answered.map(({ host, partition }) => `${host} (partition ${partition})`),
  };
  for (const path of new Set(answered.flatMap(({ directories }) => directories.map((each) => each.path)))) {
    const isUsable = answered.every(({ directories }) =>
      directories.some(
        (each) =>
          each.path === path && each.shared && (path === images || (each.writable && each.answerMs !== null)),
      ),
    );
    if (isUsable) record.directories[path] = { ...proof, fileSystem: await mountOf(path) };
    else delete record.directories[path];
  }
  const containers = answered.map(({ container }) => container);
  if (containers.some((container) => container !== null)) {
    const started = containers.every(
      (container) => container !== null && container.message === 'started' && !container.unpacked,
    );
    record.container = started ? proof : null;
  }
  await makeDirectory(stateDirectory, 0o700);
  await replaceFile(recordPath(stateDirectory), `${JSON.stringify(record, null, 2)}\n`);
}

/** Whether compute nodes were seen to use a directory, for display: `n1 (partition main) on 2026-11-30`; null if not. */
export async function proofOfDirectory(path: string, { directories }: ProbeRecord): Promise<string | null> {
  const proof = directories[path];
  return proof === undefined || proof.fileSystem !== (await mountOf(path)) ? null : proofText(proof);
}

/** For display: nodes and date. */
export function proofText({ at, nodes }: Proof): string {
  return `${nodes.join(', ')} on ${at.slice(0, 10)}`;
}

async function mountOf(path: string): Promise<string> {
  const found = await lookUpFileSystem(path);
  return found === null ? 'unknown' : `${found.type} ${found.source} ${found.mountPoint}`;
}
