import { parse } from 'yaml';

/** `NAME=value` lines of a shell script or an env file, read as data: nothing is executed. The last one counts. */
export function readAssignments(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s#;]*)\s*(?:[#;].*)?$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], (match[2] ?? '').replaceAll(/^["']|["']$/g, ''));
  }
  return values;
}

/** The environment of all services of a compose file, in both of its forms. @throws if it is no YAML */
export function readComposeFile(text: string): Map<string, string> {
  const values = new Map<string, string>();
  const services = tableOf(tableOf(parse(text))['services']);
  for (const service of Object.values(services)) {
    const environment = tableOf(service)['environment'];
    const pairs = Array.isArray(environment)
      ? environment.map((entry) => splitPair(String(entry)))
      : Object.entries(tableOf(environment)).map(([name, value]) => [name, textOf(value)] as const);
    for (const [name, value] of pairs) if (value !== '') values.set(name, value);
  }
  return values;
}

function splitPair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function tableOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
