import { z } from 'zod';

import type { GirderAccess } from '../protocol/analysis.js';
import { clientFor, type GirderClient, type GirderSetup } from '../api/client.js';
import { readGirderJob } from '../protocol/read-job.js';

/** A Girder job to create for a task that has not been published yet. */
export interface NewGirderJob {
  title: string;
  type: string;
  handler: string;
  public: boolean;
  /** JSON of the positional arguments, for display. Everyone who can see the job sees it. */
  args: string;
  taskId: string;
  /** The task whose Girder job becomes the parent. */
  parentTaskId: string;
  otherFields: Readonly<Record<string, unknown>>;
}

/** A created Girder job. Contains its token: never log it. */
export interface CreatedGirderJob {
  id: string;
  /** Value of the task's header `jobInfoSpec`, verbatim. */
  jobInfoSpec: Readonly<Record<string, unknown>>;
}

const createdJob = z.object({ _id: z.string(), jobInfoSpec: z.record(z.string(), z.unknown()) });
/** Longer arguments would not fit into the URL with the other parameters. */
const maxArgsLength = 4_000;

/**
 * Creates a Girder job with `POST job`, as a Python worker does for a task that it publishes (contract, section c, "Child
 * jobs"). The request is sent once, because a repeated one would create a second job.
 * @param access with the token of the header `girder_client_token`, whose only scope is creating jobs
 * @throws GirderError; DsaSlurmError `message` if the response does not describe a usable job
 */
export async function createGirderJobFor(
  access: GirderAccess,
  job: NewGirderJob,
  setup: GirderSetup & { signal: AbortSignal },
): Promise<CreatedGirderJob> {
  const { jobInfoSpec } = await clientFor(access, setup).json(createdJob, {
    method: 'POST',
    path: 'job',
    query: {
      title: job.title,
      type: job.type,
      handler: job.handler,
      public: job.public ? 'True' : 'False',
      args: job.args.length > maxArgsLength ? '[]' : job.args,
      otherFields: JSON.stringify({
        celeryTaskId: job.taskId,
        celeryParentTaskId: job.parentTaskId,
        ...job.otherFields,
      }),
    },
    attempts: 1,
    signal: setup.signal,
  });
  return usable(jobInfoSpec);
}

const listedJobs = z.array(
  z.object({
    celeryTaskId: z.string().nullish(),
    jobInfoSpec: z.record(z.string(), z.unknown()).nullish(),
  }),
);
const pageSize = 50;
/** The list is sorted newest first, so a job created just before a crash is near its start. */
const maxSearched = 1_000;

/**
 * Finds the Girder job that {@link createGirderJobFor} may have created for a task before a crash. Girder shows the task id of
 * a job to administrators only (contract, section k), so with any other key nothing is found.
 * @param client of an administrator
 * @returns null if the newest jobs of this type do not include it
 * @throws GirderError; DsaSlurmError `message` if the job found is not usable
 */
export async function findGirderJobOf(
  client: Pick<GirderClient, 'json'>,
  { taskId, type }: Pick<NewGirderJob, 'taskId' | 'type'>,
  signal: AbortSignal,
): Promise<CreatedGirderJob | null> {
  for (let offset = 0; offset < maxSearched; offset += pageSize) {
    const jobs = await client.json(listedJobs, {
      method: 'GET',
      path: 'job/all',
      query: { types: JSON.stringify([type]), sort: 'created', sortdir: -1, limit: pageSize, offset },
      signal,
    });
    const jobInfoSpec = jobs.find(({ celeryTaskId }) => celeryTaskId === taskId)?.jobInfoSpec ?? null;
    if (jobInfoSpec !== null) return usable(jobInfoSpec);
    if (jobs.length < pageSize) return null;
  }
  return null;
}

function usable(jobInfoSpec: Readonly<Record<string, unknown>>): CreatedGirderJob {
  const ref = readGirderJob({ jobInfoSpec });
  if (ref === null) throw new Error('Girder created a job without jobInfoSpec');
  return { id: ref.id, jobInfoSpec };
}
