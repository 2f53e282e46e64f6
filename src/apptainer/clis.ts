import { DsaSlurmError } from '../base/errors.js';

/** A CLI of an image, and the format of its description. */
export interface ListedCli {
  name: string;
  type: 'xml' | 'json' | 'yaml';
}

/** Maximum number of CLIs of one image. */
const maxClis = 500;

/**
 * Parses what an image prints for `--list_cli`: `{"<name>": {"type": …, "desc-type"?: …}}`.
 * @throws DsaSlurmError `image`
 */
export function parseCliList(image: string, text: string): ListedCli[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw badList(image, 'it is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw badList(image, 'it is not a JSON object');
  const entries = Object.entries(parsed);
  if (entries.length === 0 || entries.length > maxClis) throw badList(image, `it has ${entries.length} CLIs`);
  return entries.map(([name, facts]) => {
    // it becomes an argument of the container and the name of a Girder item
    if (!isUsableName(name)) throw badList(image, 'a CLI has an invalid name');
    const type = (facts as { 'desc-type'?: unknown } | null)?.['desc-type'] ?? 'xml';
    if (type !== 'xml' && type !== 'json' && type !== 'yaml') {
      throw badList(image, `the description of ${name} is not XML, JSON or YAML`);
    }
    return { name, type };
  });
}

/** The name may be a relative path inside the image, as slicer_cli_web allows. */
function isUsableName(name: string): boolean {
  return (
    /^[^\s\p{C}/\\-][^\p{C}\\]{0,199}$/u.test(name) && !name.split('/').some((part) => /^\.{0,2}$/.test(part))
  );
}

/** Extracts the description from the output of a CLI: programs often print other text before or after it. */
export function trimDescription({ name, type }: ListedCli, image: string, text: string): string {
  const [open, close] = { xml: ['<', '>'], json: ['{', '}'], yaml: ['', ''] }[type] as [string, string];
  const start = open === '' ? 0 : text.indexOf(open);
  const end = close === '' ? text.length : text.lastIndexOf(close) + 1;
  if (start === -1 || end <= start || text.trim() === '') {
    throw new DsaSlurmError('image', `The CLI ${name} of image ${image} printed no description.`);
  }
  return text.slice(start, end);
}

function badList(image: string, reason: string): DsaSlurmError {
  return new DsaSlurmError('image', `The CLI list of image ${image} is invalid: ${reason}.`, {
    next: 'The image must support --list_cli as slicer_cli_web expects.',
  });
}
