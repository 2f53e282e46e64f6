import { userInfo } from 'node:os';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { describeFailure, type CommandOptions, type RunCommand } from '../../../base/command.js';
import { batchEnvironment } from '../../../slurm/batch-script.js';
import { jobName } from '../../../slurm/job-identity.js';
import { patienceMs } from '../../../slurm/site.js';
import { submitArguments } from '../../../slurm/commands/sbatch.js';
import { asOption, jobKinds, type JobKind } from '../../../worker/job-request/resources.js';
import { openSubmitScript } from '../../../worker/job-request/submit-script.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { combine, configSet, fail, ok } from '../../check-result.js';

/** Errors of sbatch and the setting that causes them. */
const blame: readonly (readonly [RegExp, BlamedSetting])[] = [
  [/invalid account|account\/partition|invalid account or/i, 'slurm.account'],
  [/invalid qos/i, 'slurm.qos'],
  [/invalid partition|group not permitted to use this partition/i, 'slurm.partition'],
  [/time limit|invalid time/i, 'slurm.time'],
  [/memory specification|--mem/i, 'slurm.mem'],
  [/generic resource|gres/i, 'slurm.gres'],
  [/feature specification|invalid feature/i, 'slurm.constraint'],
  [/cpu count|more processors/i, 'slurm.cpus'],
];

type BlamedSetting =
  | 'slurm.account'
  | 'slurm.qos'
  | 'slurm.partition'
  | 'slurm.time'
  | 'slurm.mem'
  | 'slurm.gres'
  | 'slurm.constraint'
  | 'slurm.cpus';

const nodesCommand = 'sinfo -o "%P %l %m %c %G %f"';
const accountCommand = 'sacctmgr show user withassoc format=Account,QOS';

/** Turns a refusal of sbatch into a finding with the setting to change, or with a command that shows what nodes have. */
async function refusal(
  message: string,
  kind: JobKind,
  { run, signal, profile }: CheckContext,
): Promise<Finding> {
  const setting = blame.find(([pattern]) => pattern.test(message))?.[1];
  const shown = message
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('sbatch: ', '')
    .trim();
  const evidence = `sbatch would refuse ${kind.what}: ${shown}`;
  if (setting === undefined) {
    const compare = 'compare with slurm.mem, slurm.cpus, slurm.gres and slurm.constraint';
    return fail(evidence, `${nodesCommand}   # ${compare}`);
  }
  const value = await valueHere(setting, run, { timeoutMs: 4_500, signal });
  const isAccounting = setting === 'slurm.account' || setting === 'slurm.qos';
  const command = isAccounting ? accountCommand : nodesCommand;
  if (kind.rule !== null) {
    const proposal = value === null ? command : `${setting.slice('slurm.'.length)}: ${value}`;
    return fail(evidence, `dsa-slurm config get slurm.rules   # change rule ${kind.rule}; ${proposal}`);
  }
  return fail(
    evidence,
    value === null
      ? `${configSet(profile, setting, 'VALUE')}   # ${command}`
      : configSet(profile, setting, value),
  );
}

/** A valid value on this site; null if there is none. */
async function valueHere(
  setting: BlamedSetting,
  run: RunCommand,
  options: CommandOptions,
): Promise<string | null> {
  const rowsOf = async (file: string, args: readonly string[]): Promise<string[][]> => {
    const answer = await run(file, ['--noheader', ...args], options);
    if (answer.kind !== 'exited' || answer.exitCode !== 0) return [];
    return answer.stdout.split('\n').map((line) => line.trim().split('|'));
  };
  if (setting === 'slurm.account' || setting === 'slurm.qos') {
    const who = userInfo().username;
    const rows = await rowsOf('sacctmgr', [
      '--parsable2',
      'show',
      'user',
      who,
      'withassoc',
      'format=Account,QOS',
    ]);
    const cells = rows.map(([account = '', qos = '']) =>
      setting === 'slurm.account' ? account : (qos.split(',')[0] ?? ''),
    );
    return cells.find((cell) => cell !== '') ?? null;
  }
  const rows = await rowsOf('sinfo', ['--format=%R|%l|%m|%c|%G|%f']);
  const column = (index: number): string[] =>
    rows.map((row) => row[index] ?? '').filter((cell) => !/^(|\(null\)|infinite|n\/a)$/i.test(cell));
  const most = (index: number): string | null => {
    const numbers = column(index).map((cell) => Number.parseInt(cell, 10));
    return numbers.length === 0 ? null : String(Math.max(...numbers));
  };
  switch (setting) {
    case 'slurm.partition':
      return column(0)[0] ?? null;
    case 'slurm.time':
      return column(1)[0] ?? null;
    case 'slurm.mem': {
      const megabytes = most(2);
      return megabytes === null ? null : `${megabytes}M`;
    }
    case 'slurm.cpus':
      return most(3);
    case 'slurm.gres':
      // `gpu:a100:4(S:0-1)`: a request does not include sockets
      return (
        column(4)[0]
          ?.replaceAll(/\([^)]*\)/g, '')
          .split(',')[0] ?? null
      );
    case 'slurm.constraint':
      return column(5)[0]?.split(',')[0] ?? null;
  }
}

/** Tests a job with the options of real ones (`sbatch --test-only`). */
export const submitLine: Check = {
  id: 'slurm.submit',
  group: 'slurm',
  title: 'submit line',
  needs: ['slurm.version', 'directories.submit-script'],
  timeoutMs: 20_000,
  async run(context) {
    const queue = new PQueue({ concurrency: 4 });
    const kinds = jobKinds(context.settings.slurm);
    return combine(await queue.addAll(kinds.map((kind) => async () => ask(context, kind))));
  },
};

async function ask(context: CheckContext, kind: JobKind): Promise<Finding> {
  const { run, settings, signal, needed } = context;
  const script = await openSubmitScript(settings.slurm.submitScript);
  const key = 'doctor-test-only';
  const args = submitArguments({
    logFile: join(settings.dirs.logs ?? settings.dirs.tmp, `${jobName(key)}.log`),
    options: kind.resources.map(asOption),
    key,
    script: script.path,
    scriptArgs: [],
  });
  const result = await run('sbatch', ['--test-only', ...args], {
    timeoutMs: patienceMs(needed('slurm.version')),
    signal,
    cwd: '/',
    env: batchEnvironment({ apptainer: settings.apptainer.command, exitRecord: '', argumentsFile: null }),
  });
  const message = result.kind === 'exited' ? `${result.stderr}\n${result.stdout}`.trim() : '';
  if (result.kind !== 'exited') return fail(`sbatch --test-only ${describeFailure(result)}.`, 'sdiag');
  // 22.05 exits with 0 even if the controller refuses an option
  const isAccepted = /job \d+ to start at/i.test(message);
  if (!isAccepted || result.exitCode !== 0)
    return refusal(message === '' ? describeFailure(result) : message, kind, context);
  const answer = message.split('\n').map((line) => line.replace('sbatch: ', ''));
  return ok(kind.rule === null ? answer : answer.map((line) => `rule ${kind.rule}: ${line}`));
}
