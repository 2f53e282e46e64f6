import { z } from 'zod';

import type { GirderAccess } from '../protocol/analysis.js';
import { clientFor, type GirderClient, type GirderSetup } from '../api/client.js';
import { readGirderJob } from '../protocol/read-job.js';

/** A Girder job that is to be made for a task which is not published yet. */
export interface NewGirderJob {
  title: string;
  type: string;
  handler: string;
  public: boolean;
  /** JSON of the task's arguments by position, for people: whoever may see the job sees them. */
  args: string;
  taskId: string;
  /** The task whose Girder job becomes the parent. */
  parentTaskId: string;
  otherFields: Readonly<Record<string, unknown>>;
}

/** The Girder job that was made. Holds its token: never log it. */
export interface CreatedGirderJob {
  id: string;
  /** For the header `jobInfoSpec` of the task, verbatim. */
  jobInfoSpec: Readonly<Record<string, unknown>>;
}

const createdJob = z.object({ _id: z.string(), jobInfoSpec: z.record(z.string(), z.unknown()) });
/** What fits into a URL together with everything else. */
const longestArgs = 4_000;

/**
 * Makes a Girder job with `POST job`, as a Python worker does for a task that it publishes (contract, section c, "Child
 * jobs"). Asked twice, Girder makes two: it is not asked again unless it was not reached.
 * @param access with the token of the header `girder_client_token`, which is good for this alone
 * @throws GirderError; DsaSlurmError `message` if the answer names no usable job
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
      args: job.args.length > longestArgs ? '[]' : job.args,
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
/** Newest first, so a job that was made before a crash is near the beginning. */
const longestSearch = 1_000;

/**
 * Looks for the Girder job that {@link createGirderJobFor} made for a task, for a worker that does not know whether it did. Only
 * administrators are shown the task of a job (contract, section k): with another key nothing is ever found.
 * @param client of an administrator
 * @returns null if there is none among the newest of its type
 * @throws GirderError; DsaSlurmError `message` if the job that was found is not usable
 */
export async function findGirderJobOf(
  client: Pick<GirderClient, 'json'>,
  { taskId, type }: Pick<NewGirderJob, 'taskId' | 'type'>,
  signal: AbortSignal,
): Promise<CreatedGirderJob | null> {
  for (let offset = 0; offset < longestSearch; offset += pageSize) {
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
  if (ref === null) throw new Error('a Girder job that was made has a specification');
  return { id: ref.id, jobInfoSpec };
}
