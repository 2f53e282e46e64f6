import { join } from 'node:path';
import { describeFailure } from '../../../base/command.js';
import { batchEnvironment } from '../../../slurm/batch-script.js';
import { jobName } from '../../../slurm/job-identity.js';
import { submitArguments } from '../../../slurm/commands/sbatch.js';
import { asOption, usualResources } from '../../../worker/job-request/resources.js';
import { openSubmitScript } from '../../../worker/job-request/submit-script.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { combine, configSet, fail, ok } from '../../check-result.js';

/** What sbatch complains of, and the setting that is to blame. */
const blame: readonly (readonly [RegExp, string, string])[] = [
  [/invalid account|account\/partition|invalid account or/i, 'slurm.account', 'pathology'],
  [/invalid qos/i, 'slurm.qos', 'normal'],
  [/invalid partition/i, 'slurm.partition', 'batch'],
  [/time limit|invalid time/i, 'slurm.time', '04:00:00'],
  [/memory specification|--mem/i, 'slurm.mem', '4G'],
  [/generic resource|gres/i, 'slurm.gres', 'gpu:1'],
  [/feature specification|invalid feature/i, 'slurm.constraint', 'avx2'],
  [/cpu count|more processors/i, 'slurm.cpus', '4'],
];

/** A refusal of sbatch as a finding with the setting to change, or with what to compare the settings with. */
function refusal(said: string, what: string, profile: string): Finding {
  const found = blame.find(([pattern]) => pattern.test(said));
  const words = said
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('sbatch: ', '')
    .trim();
  return fail(
    `sbatch would refuse ${what}: ${words}`,
    found === undefined
      ? 'sinfo -o "%P %c %m %G %f"   # what nodes have; compare slurm.mem, slurm.cpus, slurm.gres and slurm.constraint'
      : configSet(profile, found[1], found[2]),
  );
}

/** Asks Slurm whether it would take a job with exactly the options of real ones; no job results. */
export const submitLine: Check = {
  id: 'slurm.submit',
  group: 'slurm',
  title: 'submit line',
  needs: ['slurm.controller', 'directories.submit-script'],
  async run(context) {
    const { gpuPartition } = context.settings.slurm;
    const kinds = gpuPartition === null ? [false] : [false, true];
    return combine(await Promise.all(kinds.map((gpu) => ask(context, gpu))));
  },
};

async function ask({ run, settings, profile, signal }: CheckContext, gpu: boolean): Promise<Finding> {
  const script = await openSubmitScript(settings.slurm.submitScript);
  const key = 'doctor-test-only';
  const args = submitArguments({
    logFile: join(settings.dirs.logs ?? settings.dirs.tmp, `${jobName(key)}.log`),
    options: usualResources(settings.slurm, gpu).map(asOption),
    key,
    script: script.path,
    scriptArgs: [],
  });
  const result = await run('sbatch', ['--test-only', ...args], {
    timeoutMs: 4_500,
    signal,
    cwd: '/',
    env: batchEnvironment({ apptainer: settings.apptainer.command, exitRecord: '', argumentsFile: null }),
  });
  const what = gpu ? 'jobs that need a GPU' : 'jobs';
  const said = result.kind === 'exited' ? `${result.stderr}\n${result.stdout}`.trim() : '';
  if (result.kind !== 'exited') return fail(`sbatch --test-only ${describeFailure(result)}.`, 'sdiag');
  // 22.05 exits with 0 all the same when an option is refused by the controller
  const isTaken = /job \d+ to start at/i.test(said);
  if (!isTaken || result.exitCode !== 0)
    return refusal(said === '' ? describeFailure(result) : said, what, profile);
  return ok(said.split('\n').map((line) => line.replace('sbatch: ', '')));
}
