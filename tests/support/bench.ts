import { copyFile, mkdir, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { jobName } from '../../src/slurm/job-identity.js';
import { openLab, type Lab } from './lab.js';
import { startProgram, type Environment, type Program } from './program.js';
import { testSite } from './test-site.js';

/** A {@link Lab} whose worker is the built program, as a separate process that the test starts. */
export interface Bench extends Lab {
  /** The environment of an operator who comes from the Python worker's run.sh: its names, and a home. */
  env: Environment;
  /** `--queue` and its value. */
  queueFlags: string[];
  /** Flags for short intervals, and for a mount of the gates. */
  quickFlags: string[];
  stateDir: string;
  /** Path of a file for `Wait`: analyses end once it is there. */
  gate(name: string): string;
  openGate(name: string): Promise<void>;
  /** Starts `dsa-slurm worker`; it is stopped at the end of the tests. */
  start(flags?: readonly string[], env?: Environment): Program;
  /** Ids and states of all Slurm jobs, ended ones too, that were made for this Girder job. */
  slurmJobs(job: GirderJob): Promise<{ id: string; state: string }[]>;
}

/** Our own batch script, and the one of the Python worker's documentation. */
export const submitScripts = {
  ours: fileURLToPath(new URL('../../templates/singularity.slurm', import.meta.url)),
  classic: '#!/bin/bash\n#SBATCH --ntasks=1\napptainer exec "$@"\n',
};

export async function openBench(): Promise<Bench> {
  const lab = await openLab({}, { startsWorker: false });
  // releases its state directory; the built program takes its place
  await lab.worker.stop();
  const log = join(lab.dir, 'worker.log');
  await truncate(log);
  const { dirs, apptainer, broker } = lab.settings;
  const script = join(lab.dir, 'singularity.slurm');
  await copyFile(submitScripts.ours, script);
  const gates = join(lab.dir, 'gates');
  await mkdir(gates);
  const stateHome = join(lab.dir, 'xdg-state');
  const env = {
    PATH: `${dirname(apptainer.command)}:${process.env['PATH']}`,
    HOME: lab.dir,
    SLURM_CONF: testSite().slurmConf,
    XDG_CONFIG_HOME: join(lab.dir, 'xdg-config'),
    XDG_STATE_HOME: stateHome,
    // compiled code, which all benches share
    XDG_CACHE_HOME: join(testSite().sandboxDir, 'cache'),
    TMP: dirs.tmp,
    LOGS: dirs.logs ?? undefined,
    SIF_IMAGE_PATH: dirs.images ?? undefined,
    GIRDER_WORKER_SLURM_SUBMIT_SCRIPT: script,
    GIRDER_WORKER_BROKER: testSite().amqpUrl,
  };
  const queueFlags = broker.queues.flatMap((queue) => ['--queue', queue]);
  const quickFlags = [
    'slurm.pollSeconds=1',
    'slurm.lateFilesSeconds=2',
    'girder.reportSeconds=0.2',
    `apptainer.options=["--bind=${gates}"]`,
  ].flatMap((pair) => ['--set', pair]);
  const started: Program[] = [];

  /** Leftover jobs of a test would occupy nodes, and write into directories that are removed. */
  async function endJobs(): Promise<void> {
    const names = lab.girder.jobs().map(({ celeryTaskId }) => jobName(celeryTaskId ?? ''));
    if (names.length === 0) return;
    const going = async (): Promise<string[]> => {
      const args = ['--noheader', `--name=${names.join(',')}`, '--format=%i'];
      const answer = await lab.command('squeue', args);
      if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
      return answer.stdout.split('\n').filter(Boolean);
    };
    const ids = await going();
    if (ids.length === 0) return;
    await lab.command('scancel', ids);
    await lab.until(async () => (await going()).length === 0);
  }

  return {
    // a getter of the lab that is not used here
    ...lab,
    env,
    queueFlags,
    quickFlags,
    stateDir: join(stateHome, 'dsa-slurm', 'default'),
    gate: (name) => join(gates, name),
    openGate: (name) => writeFile(join(gates, name), ''),
    start(flags = quickFlags, over = {}) {
      const args = ['worker', ...queueFlags, ...flags];
      const program = startProgram(args, { env: { ...env, ...over }, copyTo: log });
      started.push(program);
      return program;
    },
    async slurmJobs({ celeryTaskId }) {
      const name = jobName(celeryTaskId ?? '');
      const args = ['--noheader', '--states=all', `--name=${name}`, '--format=%i %T'];
      const answer = await lab.command('squeue', args);
      if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
      return answer.stdout
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => {
          const [id = '', state = ''] = line.trim().split(' ');
          return { id, state };
        });
    },
    async close() {
      for (const program of started) program.signal('SIGTERM');
      const hard = setTimeout(() => {
        for (const program of started) program.signal('SIGKILL');
      }, 15_000);
      await Promise.all(started.map(({ ended }) => ended));
      clearTimeout(hard);
      await endJobs();
      await lab.close();
    },
  };
}
