// site.mjs <directory>: a sandbox without a worker, for somebody who sets up a worker on it. Writes <directory>.env,
// to be read by a shell, when everything is up, and runs until it is killed.
import { rename, writeFile } from 'node:fs/promises';
import { startSandbox } from '../../build/sandbox/site.js';

const [dir = '/tmp/site'] = process.argv.slice(2);
const site = await startSandbox({
  dir,
  env: process.env,
  say: (line) => console.log(line),
  onStarted() {},
  signal: new AbortController().signal,
});
await site.worker.stop();

const broker = new URL(site.settings.broker.url);
const variables = {
  SLURM_CONF: site.env.SLURM_CONF,
  PATH: site.env.PATH,
  SITE_BROKER: broker.host,
  SITE_BROKER_USER: decodeURIComponent(broker.username),
  DSA_SLURM_INIT_BROKER_PASSWORD: decodeURIComponent(broker.password),
  SITE_GIRDER: site.girder.apiUrl,
  SITE_IMAGES: site.settings.dirs.images,
};
const lines = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'\n`);
await writeFile(`${dir}.env.new`, lines.join(''));
await rename(`${dir}.env.new`, `${dir}.env`);
setInterval(() => {}, 1_000_000);
