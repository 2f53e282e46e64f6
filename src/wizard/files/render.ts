import { readFileSync } from 'node:fs';
import { packageFile } from '../../base/package-file.js';

/** Values of a template: texts, already quoted for the file format, and conditions of sections. */
export type Values = Readonly<Record<string, string | boolean>>;

/** Reads a template of this package, such as `dsa/docker-compose.yml.tmpl`. */
export function readTemplate(name: string): string {
  return readFileSync(packageFile(`templates/${name}`), 'utf8');
}

/**
 * Renders a template. `{{name}}` is replaced with a text; the lines between `{{if name}}` and `{{end}}`, each on its own
 * line, are kept only if the value is true. Sections do not nest.
 * @throws Error for a name without a value, which is a bug in the template
 */
export function render(template: string, values: Values): string {
  let section: boolean | undefined;
  const lines: string[] = [];
  for (const line of template.split('\n')) {
    const opens = /^\{\{if (\w+)\}\}$/.exec(line);
    if (opens !== null) {
      if (section !== undefined) throw new Error('sections of a template do not nest');
      section = valueOf(values, opens[1] ?? '') === true;
    } else if (line === '{{end}}') {
      section = undefined;
    } else if (section !== false) {
      lines.push(line.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => String(valueOf(values, name))));
    }
  }
  return lines.join('\n');
}

function valueOf(values: Values, name: string): string | boolean {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) throw new Error(`the template names ${name}, which has no value`);
  return value;
}
