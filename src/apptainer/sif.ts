/** One data object of a SIF file, as `apptainer sif list` and `singularity sif list` print it. */
export interface SifObject {
  id: number;
  /** `JSON.Generic`, `FS (Squashfs/*System/amd64)`, … */
  type: string;
  /** Bytes. */
  size: number;
}

/** Reads `sif list`: a table whose columns are separated by `|`, under a header and lines of dashes. */
export function parseSifList(text: string): SifObject[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s*\|[^|]*\|[^|]*\|\s*(\d+)-(\d+)\s*\|\s*(.*?)\s*$/.exec(line);
    if (match === null) return [];
    const [id, start, end] = [match[1], match[2], match[3]].map(Number);
    return [{ id: id ?? 0, type: match[4] ?? '', size: (end ?? 0) - (start ?? 0) }];
  });
}

/** What an OCI image says of how it is run. */
export interface OciConfig {
  /** Docker's meaning of an empty one is `/`. */
  workingDirectory: string;
  entrypoint: string[];
  cmd: string[];
  /** `Env`, verbatim. */
  environment: Record<string, string>;
  /** `User`: a name or a number, with or without a group after a colon; empty is root. */
  user: string;
}

/**
 * Reads the OCI config that Apptainer keeps inside a SIF that was made from a docker image; null for another JSON
 * object of the file. Its keys stand at the top, or under `config` as in an image of a registry.
 */
export function parseOciConfig(text: string): OciConfig | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const top = record(parsed);
  const config = record(top?.['config']) ?? top;
  if (config === null) return null;
  const known = ['WorkingDir', 'Entrypoint', 'Cmd', 'Env', 'User', 'ExposedPorts'];
  // an image without any of them has the config `{}`
  if (Object.keys(config).length > 0 && !known.some((key) => key in config)) return null;
  const [directory, user] = [config['WorkingDir'], config['User']];
  return {
    workingDirectory: typeof directory === 'string' && directory !== '' ? directory : '/',
    entrypoint: texts(config['Entrypoint']),
    cmd: texts(config['Cmd']),
    environment: Object.fromEntries(
      texts(config['Env']).map((pair) => {
        const equals = pair.indexOf('=');
        return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
    ),
    user: typeof user === 'string' ? user : '',
  };
}

/** Labels in the answer of `inspect --json --labels`, of Apptainer and of older releases of Singularity. */
export function parseLabels(text: string): Record<string, string> | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const top = record(parsed);
  const data = record(top?.['data']) ?? top;
  const attributes = record(data?.['attributes']) ?? data;
  if (attributes === null) return null;
  const labels = record(attributes['labels']) ?? {};
  return Object.fromEntries(
    Object.entries(labels).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
}

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
