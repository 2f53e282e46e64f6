import { join } from 'node:path';

import { sifFileName } from '../../apptainer/image-name.js';
import type { ImageFacts } from '../../apptainer/inspect.js';
import { DsaSlurmError } from '../../base/errors.js';
import { MessageRefused, readTask, type Delivery } from '../../celery/messages/read-task.js';
import { foreignTask } from '../../celery/delivery-handler.js';
import type { Task } from '../../celery/messages/task.js';
import type { Settings } from '../../config/schema.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import type { BindUse } from '../../girder/transfer/bind-guard.js';
import { dumpMessage, type MessageDump } from '../../girder/pickle/decoder-dump.js';
import { readAnalysis } from '../../girder/protocol/read-analysis.js';
import { readIngest, type Ingest } from '../../girder/protocol/read-ingest.js';
import { ingestTask } from '../../girder/protocol/task-names.js';
import { readGirderJob } from '../../girder/protocol/read-job.js';
import { decodeMessage } from '../../girder/protocol/read-message.js';
import { takeUserOptions } from '../../slurm/options.js';
import { submitArguments } from '../../slurm/commands/sbatch.js';
import { girderAddresses } from '../reporting/girder-addresses.js';
import { requireDirectory } from '../job-request/find-image.js';
import { isSupportedTask, pingTask } from '../task-acceptor.js';
import { refusedFollowUps } from '../stages/publish-follow-ups.js';
import { planJob, type Plan } from '../job-request/plan.js';
import type { SubmitScript } from '../job-request/submit-script.js';
import { explainHook, explainStreams, followUps } from './describe.js';
import type { Explanation } from './explanation.js';
import { dryRunStaging } from './dry-run-staging.js';

/** Inputs of an explanation: the worker's settings, and files of this host. */
export interface ExplainOptions {
  settings: Settings;
  submitScript: SubmitScript;
  /** Milliseconds since the epoch. */
  now: number;
  /** Whether a path is a readable regular file. */
  isReadableFile: (path: string) => Promise<boolean>;
  /** Refuses a host path that no container may see. @throws DsaSlurmError `files` */
  guardBind: (host: string, use: BindUse) => Promise<void>;
}

/** Placeholders for an image whose file is not inspected. */
export const unreadImage: ImageFacts = {
  labels: {},
  workingDirectory: '/<working directory of the image>',
  workingDirectoryFrom: null,
  entrypoint: ['<entry point of the image>'],
  entrypointFrom: null,
  cmd: ['<arguments of the image>'],
  needsGpu: false,
  oci: null,
  inside: null,
};

/**
 * Explains what this worker would do with a message, with all reasons to refuse it. Makes no requests and runs no commands: what
 * only Girder or the image's file knows is a placeholder in angle brackets.
 */
export async function explainMessage(delivery: Delivery, options: ExplainOptions): Promise<Explanation> {
  const result: Explanation = {
    verdict: 'run',
    reasons: [],
    notes: [],
    task: null,
    decoded: null,
    girderJob: null,
    image: null,
    inputs: [],
    streams: [],
    binds: [],
    container: null,
    resources: [],
    rule: null,
    apptainer: null,
    sbatch: null,
    hooks: [],
    followUps: [],
  };
  const attempt = createAttempt(result);
  let unread: Pick<Task, 'name'> | null = null;
  const task = attempt(() => {
    try {
      return readTask(delivery);
    } catch (error) {
      if (error instanceof MessageRefused) unread = foreignTask(error.refusal, delivery);
      throw error;
    }
  });
  const headers = task?.headers ?? delivery.properties.headers ?? {};
  // errors of decoding are among the reasons of the analysis
  result.decoded = decoded({ headers, body: delivery.content.toString('utf8') });
  result.followUps = followUps(result.decoded?.embed ?? null);
  try {
    const job = readGirderJob(headers);
    if (job !== null) result.girderJob = { id: job.id, url: job.url };
    else result.notes.push('The task has no Girder job, so its end would not be reported.');
  } catch (error) {
    if (!(error instanceof DsaSlurmError)) throw error;
    result.notes.push(`${error.message} The task's end would not be reported.`);
  }
  if (task !== undefined) explainTask(task, result, options);
  const elsewhere = withoutRun(task ?? unread, options.settings);
  // such a task is handled before its dates or its body are checked
  if (elsewhere !== null && (task !== undefined || elsewhere.verdict === 'handedOn')) {
    return { ...result, reasons: [], ...elsewhere };
  }
  if (task !== undefined) {
    if (task.name === ingestTask) {
      const ingest = attempt(() => readIngest(task));
      if (ingest !== undefined) await explainIngest(ingest, result, { ...options, attempt });
    } else {
      const analysis = attempt(() => readAnalysis(task));
      if (analysis !== undefined) await explainAnalysis(analysis, task, result, { ...options, attempt });
    }
  }
  result.verdict = result.reasons.length === 0 ? 'run' : 'refused';
  return result;
}

/** The verdict on a task that does not become a run; null if it does. */
function withoutRun(
  task: Pick<Task, 'name'> | null,
  { broker: { forwardQueue } }: Settings,
): Pick<Explanation, 'verdict' | 'notes'> | null {
  if (task === null) return null;
  const { name } = task;
  if (name === pingTask) return { verdict: 'answered', notes: [] };
  if (forwardQueue === null || isSupportedTask(name)) return null;
  const note = `The message would be forwarded unchanged to the queue "${forwardQueue}" (setting broker.forwardQueue).`;
  return { verdict: 'handedOn', notes: [note] };
}

type Attempt = <T>(work: () => T) => T | undefined;

/** Runs a step; its error becomes a reason, and the other steps are explained all the same. */
function createAttempt({ reasons }: Explanation): Attempt {
  return (work) => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof DsaSlurmError)) throw error;
      addReason(reasons, error);
      return undefined;
    }
  };
}

function addReason(reasons: Explanation['reasons'], { code, message, next }: DsaSlurmError): void {
  if (reasons.some((known) => known.message === message)) return;
  reasons.push({ about: code, message, next: next ?? null });
}

/** A missing directory only becomes a note: it keeps the worker from starting, but is not a reason to refuse the message. */
function directoryOrNote({ notes }: Explanation, find: () => string): string | undefined {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof DsaSlurmError)) throw error;
    notes.push(`${error.message} The worker does not start without it.`);
    return undefined;
  }
}

/** For the executor `local`: the resources that are not limited. */
export function noResources({ resources }: Pick<Plan, 'resources'>): string[] {
  const options = resources.filter(({ origin }) => origin.from !== 'user').map(({ option }) => option);
  if (options.length === 0) return [];
  return [`Its resources are not limited; these options apply only to Slurm: ${options.join(', ')}.`];
}

function decoded(message: { headers: Readonly<Record<string, unknown>>; body: string }): MessageDump | null {
  try {
    return dumpMessage(decodeMessage(message));
  } catch (error) {
    if (error instanceof DsaSlurmError) return null;
    throw error;
  }
}

function explainTask(task: Task, result: Explanation, { settings, now }: ExplainOptions): void {
  const { id, name, queue, eta, expires, retries, priority, ignoreResult, replyTo, rootId, parentId } = task;
  result.task = { id, name, queue, eta, expires, retries, priority, ignoreResult, replyTo, rootId, parentId };
  if (!settings.broker.queues.includes(queue)) {
    const queues = settings.broker.queues.join(', ');
    result.notes.push(`It was sent to the queue "${queue}", but this worker consumes: ${queues}.`);
  }
  if (eta !== null && Date.parse(eta) > now) result.notes.push(`It would wait until ${eta}.`);
  if (expires !== null && Date.parse(expires) < now) {
    addReason(
      result.reasons,
      new DsaSlurmError('message', `The task expired at ${expires}, so it would end as canceled.`),
    );
  }
}

/** An administrator's task that pulls images, lists their CLIs and registers them. */
async function explainIngest(
  { images, folderId, access, pull }: Ingest,
  result: Explanation,
  { settings, isReadableFile, attempt }: ExplainOptions & { attempt: Attempt },
): Promise<void> {
  const directory = directoryOrNote(result, () =>
    requireDirectory(settings.dirs.images, 'dirs.images', 'SIF_IMAGE_PATH'),
  );
  for (const image of images) {
    const file = attempt(() => sifFileName(image));
    if (file === undefined) continue;
    const sif = join(directory ?? '/<dirs.images>', file);
    const verb = pull || !(await isReadableFile(sif)) ? 'pulled into' : 'taken from';
    result.notes.push(
      `Image ${image} would be ${verb} ${sif}, and added to folder ${folderId} at ${access.apiUrl}.`,
    );
  }
}

async function explainAnalysis(
  analysis: Analysis,
  task: Task,
  result: Explanation,
  { settings, submitScript, isReadableFile, guardBind, attempt }: ExplainOptions & { attempt: Attempt },
): Promise<void> {
  const apiUrlMap = girderAddresses(settings.girder, task.headers);
  const { staged, inputs, refusals } = await dryRunStaging(analysis, {
    runId: task.id,
    tmpDir: settings.dirs.tmp,
    mountPrefix: settings.slurm.mountPrefix,
    directPaths: settings.girder.directPaths,
    apiUrlMap,
    isReadableFile,
    guardBind,
  });
  result.inputs = inputs;
  result.binds = staged.binds;
  result.streams = explainStreams(analysis);
  result.hooks = analysis.hooks.map((hook) => explainHook(hook, apiUrlMap));
  result.notes.push(...refusedFollowUps(task));
  if (analysis.ignoredOptions.length > 0) {
    result.notes.push(
      `Ignored Docker options, which Apptainer does not support: ${analysis.ignoredOptions.join(', ')}.`,
    );
  }

  const images = directoryOrNote(result, () =>
    requireDirectory(settings.dirs.images, 'dirs.images', 'SIF_IMAGE_PATH'),
  );
  const file = attempt(() => sifFileName(analysis.image));
  const sif = file === undefined ? null : join(images ?? '/<dirs.images>', file);
  const present = images !== undefined && sif !== null && (await isReadableFile(sif));
  result.image = { name: analysis.image, sif, present };
  if (images !== undefined && sif !== null && !present) {
    attempt(() => {
      throw new DsaSlurmError('image', `Image ${analysis.image} is missing: ${sif} does not exist.`, {
        next: `Add the image on Girder's page of images (Girder 5, or Girder 3 with the Slurm plugin), or run "dsa-slurm images pull ${analysis.image}".`,
      });
    });
  }
  for (const refusal of refusals) addReason(result.reasons, refusal);
  const logsDir =
    directoryOrNote(result, () => requireDirectory(settings.dirs.logs, 'dirs.logs', 'LOGS')) ??
    '/<dirs.logs>';

  const plan = planJob({
    runId: task.id,
    analysis,
    staged,
    sif: sif ?? '/<file of the image>',
    facts: unreadImage,
    settings,
    logsDir,
    submitScript,
    girder: null,
  });
  for (const refusal of plan.refusals) addReason(result.reasons, refusal);
  if (settings.worker.executor === 'slurm') {
    result.rule = plan.rule;
    result.resources = plan.resources;
    if (settings.girder.apiKey !== null && settings.girder.apiUrl !== null) {
      result.notes.push(
        "Girder's settings worker_slurm.* override those of the profile; they were not read.",
      );
    }
  } else {
    result.notes.push(
      'The executor is local: it would run on this host, without Slurm.',
      ...noResources(plan),
    );
    if (plan.ignoredOptions.length > 0) {
      const options = plan.ignoredOptions.map((option) => `--slurm_${option}`).join(', ');
      result.notes.push(`Ignored options: ${options}.`);
    }
  }
  if (!plan.gpu) result.notes.push('The image may need a GPU: this is in its file, which was not inspected.');
  const { job } = plan;
  if (job === null) return;
  const environment = Object.keys(analysis.environment);
  result.container = {
    workingDirectory: job.workingDirectory,
    command: job.command,
    arguments: takeUserOptions(staged.args, settings.slurm.userOptions).args,
    environment,
    gpu: plan.gpu,
    commandInFile: job.argumentsFile !== null,
  };
  result.apptainer = [settings.apptainer.command, 'exec', ...job.exec, ...job.command];
  if (settings.worker.executor === 'slurm') result.sbatch = ['sbatch', ...submitArguments(job.request)];
}
