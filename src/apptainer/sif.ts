/** One data object of a SIF file, as `apptainer sif list` and `singularity sif list` print it. */
interface SifObject {
  id: number;
  /** `JSON.Generic`, `FS (Squashfs/*System/amd64)`, … */
  type: string;
  /** Bytes. */
  size: number;
}

/** Parses `sif list`: a table with columns separated by `|`, below a header and lines of dashes. */
export function parseSifList(text: string): SifObject[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s*\|[^|]*\|[^|]*\|\s*(\d+)-(\d+)\s*\|\s*(.*?)\s*$/.exec(line);
    if (match === null) return [];
    const [id, start, end] = [match[1], match[2], match[3]].map(Number);
    return [{ id: id ?? 0, type: match[4] ?? '', size: (end ?? 0) - (start ?? 0) }];
  });
}

/** How an OCI image is run. */
export interface OciConfig {
  /** `/` if it is empty, as in Docker. */
  workingDirectory: string;
  entrypoint: string[];
  cmd: string[];
  /** `Env`, verbatim. */
  environment: Record<string, string>;
  /** `User`: a name or a number, with or without a group after a colon; empty is root. */
  user: string;
}

/**
 * Parses the OCI config that Apptainer stores in a SIF built from a Docker image; null for another JSON object of the file.
 * Its keys are at the top level, or under `config` as in a registry.
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
  // the config of an image without any of these keys is `{}`
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

/** Parses the output of `inspect --json --labels` of Apptainer and of older releases of Singularity. */
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
