import { release } from 'node:os';
import type { Check, Finding } from '../../check.js';
import { fail, ok } from '../../check-result.js';

/** @param version such as `v24.15.0` */
export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const fits = major >= 26 || (major === 24 && minor >= 15) || (major === 22 && minor >= 22);
  const seen = `Node ${version}, Linux ${release()}`;
  return fits
    ? ok(seen)
    : fail(
        `${seen}: Node 22.22, 24.15 or 26 is required.`,
        'nvm install 24   # or: https://nodejs.org/en/download',
      );
}

export const node: Check = {
  id: 'host.node',
  group: 'host',
  title: 'Node',
  run: async () => judgeNode(process.version),
};
