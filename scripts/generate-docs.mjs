// Writes docs/configuration.md and docs/config.schema.json from the schema, docs/doctor.md from the checks,
// docs/init.md from the questions, and docs/slurm-states.md from the table of states: npm run docs
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationPage, profileJsonSchema } from '../build/config/docs.js';
import { allChecks } from '../build/doctor/checks/index.js';
import { doctorPage } from '../build/doctor/docs.js';
import { statesPage } from '../build/slurm/docs.js';
import { initPage } from '../build/wizard/docs.js';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const page = at('docs/configuration.md');
const schema = at('docs/config.schema.json');
const doctor = at('docs/doctor.md');
const init = at('docs/init.md');
const states = at('docs/slurm-states.md');

writeFileSync(page, configurationPage());
writeFileSync(schema, `${JSON.stringify(profileJsonSchema(), null, 2)}\n`);
writeFileSync(doctor, doctorPage(allChecks));
writeFileSync(init, initPage());
writeFileSync(states, statesPage());
// in the form that `npm run check` wants
execFileSync(at('node_modules/.bin/oxfmt'), [page, schema, doctor, init, states], { stdio: 'inherit' });
