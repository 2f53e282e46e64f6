// A large input and a long log: how much memory they take, and how fast they are beside a plain client of the same HTTP server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { finalAt, openTrial, usage } from './site.mjs';

export const title = 'a large input and a long log';

const megabyte = 1_024 * 1_024;
const sender = fileURLToPath(new URL('./send-log.mjs', import.meta.url));

export async function measure(site, { inputMegabytes = 2_048, logMegabytes = 200 }) {
  const trial = await openTrial(site);
  try {
    await trial.start();
    return [...(await input(site, trial, inputMegabytes)), ...(await log(site, trial, logMegabytes))];
  } finally {
    site.girder.fail();
    await trial.close();
  }
}

async function input({ girder, dir }, trial, megabytes) {
  const file = await girder.addFile(trial.folderId, 'slide.tiff', Buffer.from('a slide'));
  file.size = megabytes * megabyte;
  await truncate(file.path, file.size);
  const download = `file/${file.id}/download`;
  const [header, copy] = [join(dir, 'curl-header'), join(dir, 'copy')];
  await writeFile(header, `Girder-Token: ${girder.userToken}\n`, { mode: 0o600 });
  const flags = ['--silent', '--fail', '--header', `@${header}`, '--output', copy];
  const bare = await seconds('curl', [...flags, `${girder.apiUrl}/${download}`]);
  await rm(copy);
  let asked = 0;
  girder.fail((_method, path) => {
    if (path === download) asked = Date.now();
  });
  const { rss } = await usage(trial.pid());
  await trial.forgetPeak();
  const task = trial.publish({ work: 0, file });
  await trial.finished([task], 600);
  const { peak } = await usage(trial.pid());
  girder.fail();
  const answered = girder.requests().findLast(({ path }) => path === download).at;
  await rm(file.path);
  const what = `input of ${megabytes} MB`;
  return [
    { what: `${what}: seconds, beside curl`, ours: (answered - asked) / 1_000, bare, reach: 1.11 },
    { what: `${what}: increase of peak memory (MB)`, ours: Math.max(0, peak - rss), reach: 50 },
  ];
}

async function log({ girder }, trial, megabytes) {
  const plain = girder.createJob({ title: 'Plain client', type: 'bench', celeryTaskId: 'plain' });
  const bare = await seconds(process.execPath, [
    sender,
    `${girder.apiUrl}/job/${plain.id}`,
    plain.token,
    String(megabytes * megabyte),
  ]);
  const { rss } = await usage(trial.pid());
  await trial.forgetPeak();
  const task = trial.publish({ work: `log:${megabytes}` });
  await trial.finished([task], 600);
  const { peak } = await usage(trial.pid());
  const { began } = (await trial.marks()).get(`dsa-slurm-${task.taskId}`);
  const what = `log of ${megabytes} MB`;
  return [
    {
      what: `${what}: seconds, beside a plain client`,
      ours: (finalAt(task.job) - began) / 1_000,
      bare,
      reach: 2,
    },
    { what: `${what}: increase of peak memory (MB)`, ours: Math.max(0, peak - rss), reach: 50 },
  ];
}

/** How long a command takes. @throws if it fails */
async function seconds(file, args) {
  const began = performance.now();
  const [code] = await once(spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit');
  if (code !== 0) throw new Error(`${file} failed`);
  return (performance.now() - began) / 1_000;
}
