// npm run lock: takes what packages say of Node.js out of package-lock.json. Run it after every npm install that changes
// the file; tests/unit/docs/lock.test.ts notices when it was forgotten.
//
// npm compares that with the Node.js which runs npm itself. It warns about each package, and leaves out optional ones
// without a word: with Debian 12's Node.js 18 rolldown's compiled half is missing, and nothing can be built. Here all of
// them run under the Node.js that `npm ci` installs (the package `node`), whatever runs npm.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
for (const [path, entry] of Object.entries(lock.packages)) if (path !== '') delete entry.engines;
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
