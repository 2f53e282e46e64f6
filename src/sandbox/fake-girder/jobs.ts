import { RestError } from './answers.js';
import { jobStatus, refusal, type Handler } from './rules.js';
import { grant, newId, timestamp, type GirderJob, type FakeStore } from './store.js';

export interface NewFakeJob {
  title: string;
  type: string;
  userId: string;
  handler?: Handler;
  parentId?: string | null;
  celeryTaskId?: string | null;
}

export function addJob(store: FakeStore, options: NewFakeJob): GirderJob {
  const id = newId();
  const now = timestamp();
  const handler = options.handler ?? 'celery_handler';
  const job: GirderJob = {
    id,
    title: options.title,
    type: options.type,
    handler,
    userId: options.userId,
    parentId: options.parentId ?? null,
    celeryTaskId: options.celeryTaskId ?? null,
    // Girder itself queues a `worker_handler` job before it publishes it.
    status: handler === 'worker_handler' ? jobStatus.queued : jobStatus.inactive,
    log: [],
    progress: null,
    timestamps: [],
    created: now,
    updated: now,
    token: grant(store, { kind: 'job', jobId: id }),
  };
  store.jobs.set(id, job);
  return job;
}

/**
 * Simulates what slicer_cli_web does after it has published a task (`cliSubHandler`, 1.5.14 to 5.0.21): it loads the job
 * without its log, then saves the whole document, which overwrites anything the worker has reported in between.
 * @returns a function that saves the loaded state
 */
export function loadForLateSave(job: GirderJob): () => void {
  const { status, progress, timestamps, updated } = structuredClone(job);
  return () => {
    Object.assign(job, { status, progress, timestamps, updated });
    job.log.length = 0;
  };
}

/** Approximate limit of a job's log in Girder. */
const logLimit = 4 * 1024 * 1024;

/** PUT job/:id. If the status is refused, nothing is applied, not even the log. */
export function updateJob(job: GirderJob, fields: URLSearchParams): void {
  const status = fields.get('status');
  if (status !== null) setStatus(job, Number(status));
  const log = fields.get('log');
  if (log !== null) appendLog(job, log, fields.get('overwrite') === 'true');
  const total = fields.get('progressTotal');
  const current = fields.get('progressCurrent');
  const message = fields.get('progressMessage');
  if (total !== null || current !== null || message !== null) {
    const before = job.progress ?? { total: 0, current: 0, message: '' };
    job.progress = {
      total: total === null ? before.total : number(total, 'progressTotal'),
      current: current === null ? before.current : number(current, 'progressCurrent'),
      message: message ?? before.message,
    };
  }
  job.updated = timestamp();
}

/**
 * PUT job/:id/cancel.
 * @returns whether Girder publishes a revoke: a second click, a finished job or one without a task publishes none.
 */
export function cancelJob(job: GirderJob): boolean {
  const over: readonly number[] = [
    jobStatus.canceling,
    jobStatus.canceled,
    jobStatus.success,
    jobStatus.error,
  ];
  if (job.celeryTaskId === null || over.includes(job.status)) return false;
  setStatus(job, job.status === jobStatus.inactive ? jobStatus.canceled : jobStatus.canceling);
  job.updated = timestamp();
  return true;
}

function setStatus(job: GirderJob, status: number): void {
  const message = refusal(job.handler, job.status, status);
  if (message !== undefined) throw new RestError(400, 'validation', message, 'status');
  if (job.status === status) return;
  job.status = status;
  job.timestamps.push({ status, time: timestamp() });
}

function appendLog(job: GirderJob, text: string, overwrite: boolean): void {
  if (overwrite) job.log.length = 0;
  job.log.push(text);
  // Girder drops whole entries from the front, based on the length of the newest one.
  const keep = Math.floor(logLimit / Math.max(1, text.length));
  if (job.log.length > keep) job.log.splice(0, job.log.length - keep);
}

function number(text: string, name: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) {
    throw new RestError(400, 'rest', `Invalid value for ${name}: ${text}.`);
  }
  return value;
}
