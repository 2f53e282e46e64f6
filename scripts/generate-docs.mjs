// Writes docs/configuration.md and docs/config.schema.json from the schema: npm run build && node scripts/generate-docs.mjs
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationPage, profileJsonSchema } from '../dist/config/docs.js';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const page = at('docs/configuration.md');
const schema = at('docs/config.schema.json');

writeFileSync(page, configurationPage());
writeFileSync(schema, `${JSON.stringify(profileJsonSchema(), null, 2)}\n`);
// in the form that `npm run check` wants
execFileSync(at('node_modules/.bin/oxfmt'), [page, schema], { stdio: 'inherit' });
