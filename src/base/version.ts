import { readFileSync } from 'node:fs';
import { packageFile } from './package-file.js';

/** The used part of this program's package.json. */
export function programPackage(): { version: string; engines: { node: string } } {
  const text = readFileSync(packageFile('package.json'), 'utf8');
  return JSON.parse(text) as { version: string; engines: { node: string } };
}

/** The version of this program. */
export function programVersion(): string {
  return programPackage().version;
}
