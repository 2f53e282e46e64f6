import { access } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { InvalidArgumentError, type Command } from 'commander';
import { DsaSlurmError } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import type { CheckResult, Repair, RunContext, Summary } from '../../doctor/index.js';
import { addExamples, outputStyle, printLine, type CliContext, type GlobalFlags } from '../context.js';
import { exitCodes } from '../exit.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';
import { untilSignal } from '../signals.js';

interface DoctorFlags {
  only: string[];
  skip: string[];
  deep: boolean;
  fix: boolean;
  yes: boolean;
  strict: boolean;
  json: boolean;
  list: boolean;
  verbose: boolean;
  watch?: number | true;
  site?: string;
  set?: Record<string, string>;
}

export function define(command: Command, context: CliContext): void {
  command
    .option(
      '--only <check>',
      'run this check or group, and the checks it depends on; may be repeated',
      append,
      [],
    )
    .option('--skip <check>', 'skip this check or group; may be repeated', append, [])
    .option('--deep', 'include checks that submit a job, start a container or publish a task', false)
    .option('--site <dir>', 'compare with run.sh, docker-compose.yml and worker.dist.cfg in this directory')
    .option('--fix', 'apply safe fixes, with confirmation of each', false)
    .option('--yes', 'with --fix: apply all without confirmation', false)
    .option('--strict', 'treat warnings as failures', false)
    .option('--watch [seconds]', 'repeat the checks (default: every 10 seconds)', seconds)
    .option(
      '-v, --verbose',
      'list all checks, with details of passed ones and why others were not run',
      false,
    )
    .option('--json', 'for a script', false)
    .option('--list', 'list the checks without running them', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm doctor', 'find problems, with suggested fixes'],
    ['dsa-slurm doctor --only rabbitmq --only slurm -v', 'two groups, with all details'],
    ['dsa-slurm doctor --deep', 'also submit small jobs to compute nodes, and inspect each image'],
    ['dsa-slurm doctor --json --strict', 'for monitoring'],
  ]);
  command.action(async () => {
    const flags = command.opts<DoctorFlags>();
    if (flags.list) return listChecks(context, flags);
    context.exitCode = await untilSignal((signal) => examine(command, context, flags, signal));
  });
}

async function listChecks({ stdout }: CliContext, { only, skip, json }: DoctorFlags): Promise<void> {
  const { allChecks, selectChecks } = await import('../../doctor/index.js');
  const { checks } = selectChecks(allChecks, { only, skip });
  if (json) {
    const list = checks.map(({ id, group, title, needs = [], deep = false }) => ({
      id,
      group,
      title,
      needs,
      deep,
    }));
    printLine(stdout, printableJson({ checks: list }, 2));
    return;
  }
  const width = Math.max(...checks.map(({ id }) => id.length));
  for (const { id, title, deep } of checks) {
    printLine(stdout, `${id.padEnd(width)}  ${title}${deep === true ? ' (--deep)' : ''}`);
  }
}

async function examine(
  command: Command,
  context: CliContext,
  flags: DoctorFlags,
  signal: AbortSignal,
): Promise<number> {
  const { stdout, stdin } = context;
  const isTerminal = stdout.isTTY === true;
  if (flags.watch !== undefined && (flags.json || flags.fix || !isTerminal)) {
    throw new DsaSlurmError(
      'usage',
      '--watch needs a terminal, and cannot be combined with --json or --fix.',
    );
  }
  if (flags.fix && !flags.yes && (flags.json || !isTerminal || stdin.isTTY !== true)) {
    throw new DsaSlurmError('usage', '--fix asks for confirmation and needs a terminal.', {
      next: 'Add --yes to apply all fixes.',
    });
  }
  const doctor = await import('../../doctor/index.js');
  const { checks, catalog } = doctor.selectChecks(doctor.allChecks, flags);
  const runContext = await contextFor(command, context, flags);
  const path = runContext.configuration?.path ?? null;
  const everySeconds = typeof flags.watch === 'number' ? flags.watch : 10;
  for (;;) {
    const repairs: Repair[] = [];
    const started = performance.now();
    const results = await doctor.runChecks(checks, runContext, {
      catalog,
      signal,
      onRepairs: (_check, found) => repairs.push(...found),
    });
    const summary = doctor.summaryOf(results, performance.now() - started);
    if (flags.watch !== undefined) {
      stdout.write(`\u001B[H\u001B[2J\u001B[3J${watchLine(everySeconds)}\n\n`);
    }
    if (!flags.json) {
      const isNew = path !== null && !(await exists(path));
      const style = { ...outputStyle(context), verbose: flags.verbose };
      const next = nextCommand(summary, { flags, isNew, repairs, profile: runContext.profile });
      stdout.write(
        doctor.renderReport(results, summary, style, { next, isNew, interrupted: signal.aborted }),
      );
    }
    const repaired = flags.fix ? await fix(context, flags, repairs, signal) : null;
    if (flags.json) {
      const report = {
        ...doctor.jsonReport(results, summary),
        ...(repaired === null ? {} : { repairs: repaired }),
      };
      printLine(stdout, printableJson(report, 2));
    }
    const code = signal.aborted ? interrupted(results) : doctor.exitCodeOf(summary, flags.strict);
    if (flags.watch === undefined || signal.aborted) return code;
    await runContext.clock.sleep(everySeconds * 1_000, signal);
    if (signal.aborted) return code;
  }
}

function watchLine(everySeconds: number): string {
  const time = new Date().toLocaleTimeString('en-GB', { hour12: false });
  return `dsa-slurm doctor, every ${everySeconds} s, last at ${time}. Ctrl-C ends it.`;
}

/** What to run after reading the report. */
function nextCommand(
  { fail, warn }: Pick<Summary, 'fail' | 'warn'>,
  {
    flags,
    isNew,
    repairs,
    profile,
  }: { flags: DoctorFlags; isNew: boolean; repairs: readonly Repair[]; profile: string },
): string | null {
  if (flags.watch !== undefined || flags.fix) return null;
  const program = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`}`;
  if (isNew && fail > 0) return `${program} init`;
  if (fail + warn > 0 && repairs.length > 0) {
    const what = repairs.length === 1 ? 'one of these fixes' : `${repairs.length} of these fixes`;
    return `${program} doctor --fix   # applies ${what}, after a question`;
  }
  if (fail > 0) return `${program} doctor   # once 1 is fixed`;
  if (flags.only.length > 0 || flags.skip.length > 0) return `${program} doctor   # all checks`;
  if (!flags.deep)
    return `${program} doctor --deep   # also sends a job to a node, and a task through the queue`;
  return `${program} console`;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Exit code after an interrupted run: a failure that was already found counts. */
function interrupted(results: readonly CheckResult[]): number {
  return results.some(({ status }) => status === 'fail') ? exitCodes.failure : exitCodes.usage;
}

async function contextFor(command: Command, context: CliContext, flags: DoctorFlags): Promise<RunContext> {
  const { ConfigError } = await import('../../config/index.js');
  const { createRunContext, loadForDoctor } = await import('../../doctor/index.js');
  const { profile } = command.optsWithGlobals<GlobalFlags>();
  const { env } = context;
  try {
    // rejects invalid flags; the check configuration.valid reports its warnings
    await settingsFor(command, { ...context, stderr: new Writable({ write: (_c, _e, done) => done() }) });
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
  }
  const { settings, configuration } = loadForDoctor({ profile, env, flags: { ...flags.set } });
  return createRunContext({
    profile,
    settings,
    configuration,
    env,
    deep: flags.deep,
    siteDirectory: flags.site ?? null,
    onWaiting: (line) => printLine(context.stderr, `waiting: ${printable(line)}`),
  });
}

async function fix(
  context: CliContext,
  { yes, json }: DoctorFlags,
  repairs: readonly Repair[],
  signal: AbortSignal,
) {
  const { applyRepairs } = await import('../../doctor/apply-fixes.js');
  const out = json ? context.stderr : context.stdout;
  if (repairs.length === 0) printLine(out, '\nThere is nothing that --fix can change.');
  else printLine(out, `\n${repairs.map(({ what }) => `  ${what}`).join('\n')}\n`);
  return applyRepairs(repairs, {
    say: (line) => printLine(out, line),
    async confirm(what) {
      if (yes) return true;
      const { createPrompter } = await import('../../wizard/flow/prompts.js');
      const prompter = createPrompter({ input: context.stdin, output: context.stdout, signal });
      return (
        (await prompter.confirm(what, false, '  y makes this change; the problem above says why.')) === true
      );
    },
  });
}

function append(value: string, before: string[]): string[] {
  return [...before, ...value.split(',').filter((word) => word !== '')];
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 1)
    throw new InvalidArgumentError('It must be a number of seconds from 1.');
  return value;
}

function printable(line: string): string {
  return line.replaceAll(/\p{C}/gu, '?');
}
