import { resolve } from 'node:path';
import { parse } from 'yaml';

/** A service of a compose file. */
export interface ComposeService {
  image: string | null;
  environment: ReadonlyMap<string, string>;
  /** Ports of the host, by port of the container. */
  ports: ReadonlyMap<number, number>;
  /** Absolute directories of the host, by path in the container. */
  volumes: ReadonlyMap<string, string>;
  dockerfile: string | null;
}

/** YAML aliases in a file: nested aliases can expand a small file to gigabytes. */
const maxAliases = 100;

/**
 * Parses a compose file; null if it is invalid. Variables are replaced with values from `env`, which is the `.env` file next
 * to it, or with their defaults.
 * @param directory of the file
 */
export function readCompose(
  text: string,
  directory: string,
  env: ReadonlyMap<string, string>,
): ReadonlyMap<string, ComposeService> | null {
  let content: unknown;
  try {
    content = parse(text, { merge: true, maxAliasCount: maxAliases, logLevel: 'silent' });
  } catch {
    return null;
  }
  const services = tableOf(tableOf(content)?.['services']);
  if (services === null) return null;
  const expand = (value: string) => interpolate(value, env);
  return new Map(
    Object.entries(services).flatMap(([name, service]) => {
      const table = tableOf(service);
      return table === null ? [] : [[name, readService(table, directory, expand)] as const];
    }),
  );
}

function readService(
  service: Record<string, unknown>,
  directory: string,
  expand: (value: string) => string,
): ComposeService {
  const build = tableOf(service['build']);
  return {
    image: textOf(service['image'], expand),
    environment: readEnvironment(service['environment'], expand),
    ports: new Map(listOf(service['ports']).flatMap((entry) => readPort(entry, expand))),
    volumes: new Map(listOf(service['volumes']).flatMap((entry) => readVolume(entry, directory, expand))),
    dockerfile: textOf(build?.['dockerfile'], expand),
  };
}

/** A list of `NAME=value`, or a table. */
function readEnvironment(value: unknown, expand: (text: string) => string): ReadonlyMap<string, string> {
  const pairs = Array.isArray(value)
    ? value.flatMap((entry: unknown) => {
        const [, name, text] = /^(\w+)=(.*)$/s.exec(typeof entry === 'string' ? entry : '') ?? [];
        return name === undefined || text === undefined ? [] : [[name, text] as const];
      })
    : Object.entries(tableOf(value) ?? {}).map(([name, text]) => [name, text] as const);
  return new Map(
    pairs.flatMap(([name, value]) => {
      const text = textOf(value, expand);
      return text === null ? [] : [[name, text] as const];
    }),
  );
}

/** `"8080:8080"`, `"127.0.0.1:8080:8080/tcp"`, or `{published, target}`. */
function readPort(entry: unknown, expand: (text: string) => string): [number, number][] {
  const table = tableOf(entry);
  const [, published, target] =
    table === null
      ? (/(?:^|:)(\d{1,5}):(\d{1,5})(?:\/tcp)?$/.exec(textOf(entry, expand) ?? '') ?? [])
      : ['', textOf(table['published'], expand) ?? '', textOf(table['target'], expand) ?? ''];
  const ports = [Number(target), Number(published)] as const;
  return ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536) ? [[...ports]] : [];
}

/** `./SIF:/SIF:ro`, or `{type: bind, source, target}`. Named volumes are ignored. */
function readVolume(entry: unknown, directory: string, expand: (text: string) => string): [string, string][] {
  const table = tableOf(entry);
  const [source, target] =
    table === null
      ? (textOf(entry, expand) ?? '').split(':')
      : [textOf(table['source'], expand) ?? '', textOf(table['target'], expand) ?? ''];
  if (source === undefined || target === undefined || !target.startsWith('/')) return [];
  return /^[./]/.test(source) ? [[target, resolve(directory, source)]] : [];
}

/** Replaces `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:?message}`; `$$` is a dollar sign. */
function interpolate(value: string, env: ReadonlyMap<string, string>): string {
  return value.replaceAll(
    /\$(?:(\$)|([A-Za-z_]\w*)|\{(\w+)(?::?([-?])([^{}]*))?\})/g,
    (_, dollar?: string, bare?: string, braced?: string, operator?: string, rest?: string) => {
      if (dollar !== undefined) return '$';
      const found = env.get(bare ?? braced ?? '');
      return found === undefined || found === '' ? (operator === '-' ? (rest ?? '') : '') : found;
    },
  );
}

/** A scalar as text; null for anything else, and for an empty one. */
function textOf(value: unknown, expand: (text: string) => string): string | null {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value.length > 4_096) return null;
  const text = expand(value);
  return text === '' ? null : text;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, 1_000) : [];
}

function tableOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
