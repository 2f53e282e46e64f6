import { join } from 'node:path';

import { containerEntry, containerHome } from '../../apptainer/entry.js';
import {
  containerEnvironment,
  execArguments,
  quietEnvironment,
  runtimeOf,
} from '../../apptainer/exec-args.js';
import type { ImageFacts } from '../../apptainer/inspect.js';
import type { IsolationPart } from '../../apptainer/isolation.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { Settings } from '../../config/schema.js';
import type { Analysis, StagedAnalysis } from '../../girder/protocol/analysis.js';
import { streamsOf } from '../../girder/protocol/streams.js';
import { argumentsFileContent, batchEnvironment, timeWarning } from '../../slurm/batch-script.js';
import { exitRecordFile } from '../../slurm/exit-record.js';
import { jobName, runKey } from '../../slurm/job-identity.js';
import { takeUserOptions, type RefusedOption, type SbatchOption } from '../../slurm/options.js';
import type { JobRequest } from '../executor/executor.js';
import type { GirderSlurmSettings } from './girder-slurm-settings.js';
import { isolationOff } from './isolation.js';
import { asOption, chooseResources, type Resource } from './resources.js';
import type { SubmitScript } from './submit-script.js';

/** Everything that determines a job. */
export interface PlanRequest {
  runId: string;
  analysis: Pick<Analysis, 'image' | 'entrypoint' | 'environment' | 'gpu' | 'args' | 'streams'>;
  staged: Pick<StagedAnalysis, 'args' | 'argsHoldToken' | 'binds' | 'ownDirectories'>;
  sif: string;
  facts: ImageFacts;
  settings: Settings;
  /** `dirs.logs`, which must be set. */
  logsDir: string;
  submitScript: SubmitScript;
  /** Girder's settings for Slurm; null if they are unavailable. */
  girder: GirderSlurmSettings | null;
}

/** A planned job, and reasons to refuse it. */
export interface Plan {
  /** The run gets a GPU: its message, its image or Girder's settings ask for one. */
  gpu: boolean;
  resources: readonly Resource[];
  /** The rule of `slurm.rules` that matched, counted from 1; null: none. */
  rule: number | null;
  /** Names of `--slurm_*` options that are ignored because the job runs without Slurm: `mem`. */
  ignoredOptions: readonly string[];
  /** All reasons to refuse the job; empty if it may be submitted. */
  refusals: DsaSlurmError[];
  /** Null if no command could be built from image and task. */
  job: PlannedJob | null;
}

export interface PlannedJob {
  workingDirectory: string;
  /** The container's whole command: entry point and arguments. */
  command: string[];
  /** Arguments of `apptainer exec` up to and including the image file. */
  exec: string[];
  /** Partition, account, QOS and reservation of the job; `isOwn` if the task chose any of them. */
  target: { name: string; isOwn: boolean };
  /** Directories of the run to create before the job is submitted. */
  directories: string[];
  /** File with the arguments, which hides them from process lists, to write before that as well; null if not used. */
  argumentsFile: { path: string; content: string } | null;
  /** Journaled with the run. */
  submission: { key: string; logFile: string; exitRecord: string; streams: StreamFiles };
  request: JobRequest;
}

/** Files of streams that do not go to the log. */
export interface StreamFiles {
  stdout?: string;
  stderr?: string;
}

/**
 * Plans a job without side effects. The stage that submits it and the commands that explain it agree because both use
 * this function.
 */
export function planJob(request: PlanRequest): Plan {
  const { analysis, staged, facts, settings } = request;
  const gpu = analysis.gpu || facts.needsGpu || (request.girder?.gpu ?? false);
  const { options, args, refused } = takeUserOptions(staged.args, settings.slurm.userOptions);
  const [first] = analysis.args;
  const { resources, rule } = chooseResources(settings.slurm, {
    gpu,
    subject: { image: analysis.image, cli: first?.kind === 'text' ? first.text : '' },
    girder: request.girder,
    userOptions: options,
  });
  const isLocal = settings.worker.executor === 'local';
  const meaningless = isLocal ? namesOf(options, refused) : [];
  const refusals = isLocal ? [] : refused.map(refusedOption);
  try {
    return {
      gpu,
      resources,
      rule,
      ignoredOptions: meaningless,
      refusals,
      job: plannedJob(request, { gpu, args, resources }),
    };
  } catch (error) {
    if (!(error instanceof DsaSlurmError)) throw error;
    return { gpu, resources, rule, ignoredOptions: meaningless, refusals: [...refusals, error], job: null };
  }
}

/** The job of a plan. @throws DsaSlurmError with the first reason to refuse it */
export function acceptedJob({ refusals, job }: Plan): PlannedJob {
  const [refusal] = refusals;
  if (refusal !== undefined) throw refusal;
  if (job === null) throw new Error('a plan without a job has a refusal');
  return job;
}

function plannedJob(
  { runId, analysis, staged, sif, facts, settings, logsDir, submitScript }: PlanRequest,
  { gpu, args, resources }: { gpu: boolean; args: readonly string[]; resources: readonly Resource[] },
): PlannedJob {
  const { apptainer } = settings;
  const { workingDirectory, command } = containerEntry({
    image: analysis.image,
    facts,
    settings: {
      workingDirectory: apptainer.workingDirectory,
      entrypoint: apptainer.entrypoint === null ? null : [apptainer.entrypoint],
    },
    entrypoint: analysis.entrypoint,
    args,
  });
  const [ownDirectory] = staged.ownDirectories;
  if (ownDirectory === undefined) throw new Error('a staged run must have a directory');
  const inOwn = (name: string): string => join(ownDirectory, name);
  const isOurScript = submitScript.takesArgumentsFile;
  const off = isolationOff(apptainer, analysis.image);
  const imageEnvironment = off.has('variables') ? undefined : facts.oci?.environment;
  const lacksDirectory = facts.inside?.hasWorkingDirectory === false;
  const exec = execArguments({
    sif,
    workingDirectory,
    binds: [
      ...staged.binds,
      // Docker creates a missing working directory
      ...(lacksDirectory
        ? [{ host: inOwn('workdir'), container: workingDirectory, mode: 'rw' } as const]
        : []),
    ],
    gpu,
    isolation: {
      off,
      home: containerHome(facts, analysis.environment),
      replacesEnvironment: imageEnvironment !== undefined,
      space: off.has('files') ? null : isOurScript ? 'script' : { directory: inOwn('container') },
    },
    options: apptainer.options,
  });
  // arguments and file names may identify patients, so they must not be visible in `scontrol show job`
  const argumentsFile = isOurScript
    ? { path: inOwn('arguments'), content: argumentsFileContent([...exec, ...command]) }
    : null;
  const options = resources.map(asOption);
  const warning = timeWarningSeconds(settings, submitScript, options);
  const key = runKey(runId);
  const logFile = join(logsDir, `${jobName(key)}.log`);
  const exitRecord = exitRecordFile(logsDir, key);
  const streams = streamFiles(analysis, logFile);
  return {
    workingDirectory,
    command,
    exec,
    target: targetOf(resources),
    directories: [
      inOwn('job'),
      ...(isOurScript ? [] : [inOwn('container')]),
      ...(lacksDirectory ? [inOwn('workdir')] : []),
    ],
    argumentsFile,
    submission: { key, logFile, exitRecord, streams },
    request: {
      logFile,
      streams,
      key,
      // the runtime mounts its working directory if that part of the isolation is off
      directory: inOwn('job'),
      options: warning === null ? options : [...options, timeWarning(warning)],
      script: submitScript.path,
      scriptArgs: argumentsFile === null ? [...exec, ...command] : [],
      env: {
        // overrides APPTAINERENV_* of the worker
        ...containerEnvironment(
          { ...imageEnvironment, ...analysis.environment },
          runtimeOf(apptainer.command),
        ),
        ...quietEnvironment(runtimeOf(apptainer.command)),
        ...batchEnvironment({
          apptainer: apptainer.command,
          exitRecord,
          argumentsFile: argumentsFile?.path ?? null,
          room: isOurScript ? roomFor(off) : null,
          scratch: apptainer.scratch,
          warning,
        }),
      },
    },
  };
}

/** How many seconds before the time limit the analysis is signaled; null if it is not. */
function timeWarningSeconds(
  { worker, slurm }: Settings,
  { takesTimeWarning }: SubmitScript,
  options: readonly SbatchOption[],
): number | null {
  const isPossible = worker.executor === 'slurm' && takesTimeWarning && slurm.cancelSeconds > 0;
  return isPossible && !options.some(([name]) => name === 'signal') ? slurm.cancelSeconds : null;
}

/** What the batch script makes writable; null for nothing except the binds. */
function roomFor(off: ReadonlySet<IsolationPart>): 'layer' | 'tmp' | null {
  if (off.has('files')) return null;
  return off.has('layer') ? 'tmp' : 'layer';
}

/** A container stream that is connected elsewhere has its own file next to the log. */
function streamFiles(analysis: Pick<Analysis, 'args' | 'streams'>, logFile: string): StreamFiles {
  const connected = streamsOf(analysis).flatMap((each) => (each.kind === 'container' ? [each.stream] : []));
  return Object.fromEntries(connected.map((stream) => [stream, `${logFile}.${stream}`]));
}

const targetOptions = new Set(['partition', 'account', 'qos', 'reservation']);

function targetOf(resources: readonly Resource[]): PlannedJob['target'] {
  const chosen = resources.filter(({ option }) => targetOptions.has(option));
  return {
    name: chosen
      .map(({ option, value }) => `${option}=${value ?? ''}`)
      .toSorted()
      .join(' '),
    isOwn: chosen.some(({ origin }) => origin.from === 'user'),
  };
}

function namesOf(options: readonly SbatchOption[], refused: readonly RefusedOption[]): string[] {
  const names = [
    ...options.map(([name]) => name.replaceAll('-', '_')),
    ...refused.map(({ option }) => option),
  ];
  return [...new Set(names)];
}

function refusedOption({ option, reason }: RefusedOption): DsaSlurmError {
  return new DsaSlurmError('slurm', `The option --slurm_${option} cannot be used: ${reason}`, {
    next: 'Remove it. The setting slurm.userOptions of this worker lists the allowed options.',
  });
}
