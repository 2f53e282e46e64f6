import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createApptainer } from '../../src/apptainer/inspect.js';
import { openSubmitScript } from '../../src/worker/job-request/submit-script.js';
import { acceptedJob, planJob, type PlanRequest } from '../../src/worker/job-request/plan.js';
import { withoutRuntimeRemarks } from '../../src/worker/logs/runtime-remarks.js';
import { someSettings } from '../support/settings.js';
import { openBench, type Bench } from './support/bench.js';
import type { OciImage } from './support/oci.js';

// Stock Docker images run as Docker runs them: from the SIF of each to the end of its job, with everything that the worker
// decides on the way. Only Slurm is left out.

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => bench.close());

interface Task {
  args?: readonly string[];
  entrypoint?: readonly string[];
  environment?: Readonly<Record<string, string>>;
}

/** What becomes of a task in an image: exit code and log. */
async function job(image: OciImage, { args = [], entrypoint, environment = {} }: Task = {}) {
  const dir = await mkdtemp(join(bench.dir, 'job-'));
  const sif = await bench.sif(dir.slice(-6), image);
  const name = 'stock/image:v1';
  const facts = await createApptainer({ run: bench.run, command: bench.apptainer }).probe(name, sif);
  const request: PlanRequest = {
    runId: 'run',
    analysis: {
      image: name,
      entrypoint: entrypoint ?? null,
      environment,
      gpu: false,
      args: [],
      streams: [],
    },
    staged: { args, argsHoldToken: false, binds: [], ownDirectories: [dir] },
    sif,
    facts,
    settings: someSettings({ 'apptainer.command': bench.apptainer, 'apptainer.scratch': dir }),
    logsDir: dir,
    submitScript: await openSubmitScript(null),
    girder: null,
  };
  const planned = acceptedJob(planJob(request));
  for (const directory of planned.directories) await mkdir(directory);
  if (planned.argumentsFile === null) throw new Error('our script takes a file of arguments');
  await writeFile(planned.argumentsFile.path, planned.argumentsFile.content);
  const { exitCode, all } = await execa('bash', [planned.request.script, ...planned.request.scriptArgs], {
    reject: false,
    all: true,
    cwd: planned.request.directory,
    extendEnv: false,
    env: { PATH: process.env['PATH'], HOME: bench.dir, SLURM_JOB_ID: '1', ...planned.request.env },
  });
  expect(await readFile(planned.submission.exitRecord, 'utf8')).toContain(`exit=${exitCode}\n`);
  const left = (await readdir(dir)).filter((each) => each.startsWith('dsa-slurm-room'));
  return { exitCode, log: all, left };
}

/** Apptainer makes the path of a program absolute, which Docker leaves as it is. */
const show = '#!/bin/sh\necho "$(pwd):" "$0" "$@"\n';
const says = (log: string) => ({ exitCode: 0, log, left: [] });

it.each<[what: string, image: OciImage, task: Task, log: string]>([
  [
    'a relative ENTRYPOINT in WORKDIR',
    { config: { WorkingDir: '/opt/app', Entrypoint: ['./run'] }, files: { '/opt/app/run': show } },
    { args: ['a b', '$HOME', '`id`'] },
    '/opt/app: /opt/app/run a b $HOME `id`',
  ],
  [
    'CMD as the arguments of ENTRYPOINT where the task has none',
    { config: { Entrypoint: ['/run'], Cmd: ['from', 'cmd'] }, files: { '/run': show } },
    {},
    '/: /run from cmd',
  ],
  [
    'arguments of the task in place of CMD',
    { config: { Entrypoint: ['/run'], Cmd: ['from', 'cmd'] }, files: { '/run': show } },
    { args: ['own'] },
    '/: /run own',
  ],
  [
    'CMD alone',
    { config: { Cmd: ['/run', 'from', 'cmd'] }, files: { '/run': show } },
    {},
    '/: /run from cmd',
  ],
  [
    'arguments of the task as the command where CMD is alone',
    { config: { Cmd: ['/nowhere'] }, files: { '/run': show } },
    { args: ['/run', 'own'] },
    '/: /run own',
  ],
  [
    'ENTRYPOINT in the form of a shell, which takes no arguments',
    { config: { Entrypoint: ['/bin/sh', '-c', 'echo "shell of $((1 + 1))"'], Env: ['PATH=/bin'] } },
    { args: ['unused'] },
    'shell of 2',
  ],
  [
    'CMD in the form of a shell',
    {
      config: { Cmd: ['/bin/sh', '-c', 'echo "shell in $PWD"'], WorkingDir: '/opt/app' },
      files: { '/opt/app/x': '' },
    },
    {},
    'shell in /opt/app',
  ],
  [
    'an entry point of the task in place of that of the image, without its CMD',
    { config: { Entrypoint: ['/nowhere'], Cmd: ['from', 'cmd'] }, files: { '/run': show } },
    { entrypoint: ['/run'] },
    '/: /run',
  ],
  ['an empty config', { config: {}, files: { '/run': show } }, { args: ['/run', 'own'] }, '/: /run own'],
  [
    'a label entry_path whose directory has the entry point of the Python plugin',
    {
      config: { Labels: { entry_path: '/opt/app' }, WorkingDir: '/else', Entrypoint: ['/nowhere'] },
      files: { '/opt/app/docker-entrypoint.sh': show },
    },
    { args: ['own'] },
    '/opt/app: /opt/app/docker-entrypoint.sh own',
  ],
  [
    'a label entry_path whose directory has none: as Docker, which knows no such label',
    {
      config: { Labels: { entry_path: '/opt/app' }, WorkingDir: '/opt/else', Entrypoint: ['./run'] },
      files: { '/opt/app/x': '', '/opt/else/run': show },
    },
    { args: ['own'] },
    '/opt/else: /opt/else/run own',
  ],
  [
    'a WORKDIR that the image lacks',
    {
      config: { WorkingDir: '/made/by/docker', Entrypoint: ['/run'] },
      files: { '/run': '#!/bin/sh\ntouch x && pwd && ls\n' },
    },
    {},
    '/made/by/docker\nx',
  ],
  [
    'an image that writes beside its program, in its root and in /tmp, with umask 0022',
    {
      config: { WorkingDir: '/opt/app', Entrypoint: ['./run'] },
      files: { '/opt/app/run': '#!/bin/sh\numask && echo new >own && touch /in-root /tmp/x && cat own\n' },
    },
    {},
    '0022\nnew',
  ],
  [
    'a program in /tmp',
    { config: { WorkingDir: '/tmp/app', Entrypoint: ['./run'] }, files: { '/tmp/app/run': show } },
    {},
    '/tmp/app: /tmp/app/run',
  ],
  [
    'a USER with a home that only that user may enter',
    {
      config: { User: 'app', Entrypoint: ['/home/app/run'] },
      files: {
        '/etc/passwd': 'root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n',
        '/etc/group': 'root:x:0:\napp:x:1234:\n',
        '/home/app': { directory: true, mode: 0o700, uid: 1234 },
        '/home/app/run': { text: '#!/bin/sh\ncd "$HOME" && pwd && touch x && ls\n', mode: 0o700, uid: 1234 },
      },
    },
    {},
    '/home/app\nrun\nx',
  ],
  [
    'a numeric USER that the image does not name',
    {
      config: { User: '1234:1234', Entrypoint: ['/run'] },
      files: { '/run': '#!/bin/sh\necho "$HOME"; touch "$HOME/x" && echo written\n' },
    },
    {},
    '/\nwritten',
  ],
  [
    'ENV with characters that a shell would take for its own',
    {
      config: {
        Env: ['PRICE=costs $5', 'QUOTED=a "b" c', 'TICK=`id`', 'PATH=/opt/bin:/bin'],
        Entrypoint: ['show'],
      },
      files: { '/opt/bin/show': '#!/bin/sh\necho "$PRICE|$QUOTED|$TICK"\n' },
    },
    {},
    'costs $5|a "b" c|`id`',
  ],
  [
    'environment of the task over ENV, verbatim',
    {
      config: { Env: ['MODE=of the image'], Entrypoint: ['/run'] },
      files: { '/run': '#!/bin/sh\necho "$MODE|$WORD|$CALLERS_KEY"\n' },
    },
    { environment: { MODE: 'of the task', WORD: '$HOME `id` \'x\' "y" \\ é' } },
    'of the task|$HOME `id` \'x\' "y" \\ é|',
  ],
])(
  '%s',
  async (_what, image, task, log) => {
    const found = await job(image, task);
    expect({ ...found, log: withoutRuntimeRemarks(found.log ?? '') }).toEqual(says(log));
  },
  60_000,
);
