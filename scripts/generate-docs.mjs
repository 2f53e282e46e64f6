// Writes docs/configuration.md and docs/config.schema.json from the schema, and docs/doctor.md from the checks:
// npm run build && node scripts/generate-docs.mjs
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationPage, profileJsonSchema } from '../dist/config/docs.js';
import { allChecks } from '../dist/doctor/checks/index.js';
import { doctorPage } from '../dist/doctor/docs.js';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const page = at('docs/configuration.md');
const schema = at('docs/config.schema.json');
const doctor = at('docs/doctor.md');

writeFileSync(page, configurationPage());
writeFileSync(schema, `${JSON.stringify(profileJsonSchema(), null, 2)}\n`);
writeFileSync(doctor, doctorPage(allChecks));
// in the form that `npm run check` wants
execFileSync(at('node_modules/.bin/oxfmt'), [page, schema, doctor], { stdio: 'inherit' });
