import { readFile } from 'node:fs/promises';
import type { PlacedNonces, ProbedDirectory } from './probe-files.js';

/** What the job said. */
export interface ProbeReport {
  host: string;
  uid: number | null;
  apptainer: string;
  namespaces: boolean;
  /** How Girder answered the node: an HTTP status, `open`, or what went wrong; null if nobody asked. */
  girder: string | null;
  /** What came of starting a container: `started`, or the end of what was said; null if none was to be started. */
  container: { said: string; unpacked: boolean } | null;
  directories: ProbedDirectory[];
}

/** Reads the report of the job; null as long as it is not there to its end. */
export async function readProbeReport(placed: PlacedNonces): Promise<ProbeReport | null> {
  const text = await readFile(placed.logFile, 'utf8').catch(() => '');
  return parseProbeReport(text, placed);
}

/** Reads the lines of templates/probe.slurm, among whatever a site's prolog prints. */
export function parseProbeReport(
  text: string,
  { nonce, directories }: Pick<PlacedNonces, 'nonce' | 'directories'>,
): ProbeReport | null {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^dsa-slurm-probe ([\w.]+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, value.replaceAll(/\p{Cc}/gu, ' ').trim());
  }
  if (values.get('end') !== nonce) return null;
  const number = (name: string): number | null => {
    const value = values.get(name) ?? '';
    return /^\d{1,20}$/.test(value) ? Number(value) : null;
  };
  return {
    host: values.get('host') ?? '',
    uid: number('uid'),
    apptainer: values.get('apptainer') ?? '',
    namespaces: values.get('namespaces') === 'yes',
    girder: values.get('girder') ?? null,
    container: containerIn(values),
    directories: directories.map(({ path, placed, inode }, index) => ({
      path,
      shared: placed ? values.get(`${index}.nonce`) === nonce : number(`${index}.inode`) === inode,
      writable: values.get(`${index}.written`) === 'yes',
      ms: number(`${index}.ms`),
      answerMs: null,
    })),
  };
}

function containerIn(values: ReadonlyMap<string, string>): ProbeReport['container'] {
  const said = values.get('container');
  return said === undefined ? null : { said, unpacked: values.get('unpacked') === 'yes' };
}
