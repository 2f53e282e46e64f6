import { readFile } from 'node:fs/promises';
import type { PlacedNonces, ProbedDirectory } from './probe-files.js';

/** The job's report. */
export interface ProbeReport {
  host: string;
  uid: number | null;
  apptainer: string;
  namespaces: boolean;
  /** Result of the node's request to Girder: an HTTP status, `open`, or an error; null if there was none. */
  girder: string | null;
  /** Result of starting a container: `started`, or the end of its output; null if none was started. */
  container: { message: string; unpacked: boolean } | null;
  directories: ProbedDirectory[];
}

/** Reads the job's report; null until it is complete. */
export async function readProbeReport(placed: PlacedNonces): Promise<ProbeReport | null> {
  const text = await readFile(placed.logFile, 'utf8').catch(() => '');
  return parseProbeReport(text, placed);
}

/** Parses the output of templates/probe.slurm, which may be mixed with that of a site's prolog. */
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
  const message = values.get('container');
  return message === undefined ? null : { message, unpacked: values.get('unpacked') === 'yes' };
}
