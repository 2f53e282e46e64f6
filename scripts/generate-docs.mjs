// Writes docs/configuration.md and docs/config.schema.json from the schema, docs/doctor.md from the checks,
// docs/init.md from the questions, docs/slurm-states.md from the table of states, and docs/commands.md and the man pages
// from the help of the commands: npm run docs
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { definedCommands } from '../build/cli/program.js';
import { commandsPage, manPages } from '../build/cli/reference.js';
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
const commands = at('docs/commands.md');
const states = at('docs/slurm-states.md');

writeFileSync(page, configurationPage());
writeFileSync(schema, `${JSON.stringify(profileJsonSchema(), null, 2)}\n`);
writeFileSync(doctor, doctorPage(allChecks));
writeFileSync(init, initPage());
writeFileSync(states, statesPage());
const { env, stdin, stdout, stderr } = process;
const defined = await definedCommands({ env, stdin, stdout, stderr, version: '0', exitCode: 0 });
writeFileSync(commands, commandsPage(defined));
rmSync(at('man'), { recursive: true, force: true });
mkdirSync(at('man'));
for (const [name, text] of manPages(defined)) writeFileSync(at(`man/${name}`), text);
// in the form that `npm run check` wants
execFileSync(at('node_modules/.bin/oxfmt'), [page, schema, doctor, init, states, commands], {
  stdio: 'inherit',
});
