import { statSync } from 'node:fs';

export function print(text: string): void {
  process.stdout.write(text);
}

export function fatal(message: string, code = 255): never {
  process.stderr.write(`FATAL:   ${message}\n`);
  process.exit(code);
}

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export function split(text: string, at: string): [string, string | undefined] {
  const index = text.indexOf(at);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}
