import { DsaSlurmError } from '../base/errors.js';

/** How a CLI of an image wants to be asked for its description. */
export interface ListedCli {
  name: string;
  type: 'xml' | 'json' | 'yaml';
}

/** CLIs of one image. */
const most = 500;

/**
 * Reads what an image prints for `--list_cli`: `{"<name>": {"type": …, "desc-type"?: …}}`.
 * @throws DsaSlurmError `image`
 */
export function parseCliList(image: string, text: string): ListedCli[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw noList(image, 'no JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw noList(image, 'no object');
  const entries = Object.entries(parsed);
  if (entries.length === 0 || entries.length > most) throw noList(image, `${entries.length} CLIs`);
  return entries.map(([name, facts]) => {
    // it becomes an argument of the image and the name of an item
    if (!usableName(name)) throw noList(image, 'a CLI without a usable name');
    const type = (facts as { 'desc-type'?: unknown } | null)?.['desc-type'] ?? 'xml';
    if (type !== 'xml' && type !== 'json' && type !== 'yaml') {
      throw noList(image, `a description of ${name} that is neither XML nor JSON nor YAML`);
    }
    return { name, type };
  });
}

/** It may be a path below the image's own directory, as slicer_cli_web has it. */
function usableName(name: string): boolean {
  return (
    /^[^\s\p{C}/\\-][^\p{C}\\]{0,199}$/u.test(name) && !name.split('/').some((part) => /^\.{0,2}$/.test(part))
  );
}

/** The description in what a CLI printed: programs like to say a word before and after it. */
export function trimDescription({ name, type }: ListedCli, image: string, text: string): string {
  const [open, close] = { xml: ['<', '>'], json: ['{', '}'], yaml: ['', ''] }[type] as [string, string];
  const start = open === '' ? 0 : text.indexOf(open);
  const end = close === '' ? text.length : text.lastIndexOf(close) + 1;
  if (start === -1 || end <= start || text.trim() === '') {
    throw new DsaSlurmError('image', `The CLI ${name} of image ${image} printed no description.`);
  }
  return text.slice(start, end);
}

function noList(image: string, what: string): DsaSlurmError {
  return new DsaSlurmError('image', `Image ${image} lists its CLIs as ${what}.`, {
    next: 'It has to answer --list_cli as images for slicer_cli_web do.',
  });
}
