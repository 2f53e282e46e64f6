import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileAnswer, folderAnswer, itemAnswer, jobAnswer, RestError, userAnswer } from './answers.js';
import { addJob, cancelJob, updateJob } from './jobs.js';
import {
  addFolder,
  addItem,
  filesIn,
  foldersIn,
  itemsIn,
  timestamp,
  type GirderJob,
  type FakeItem,
  type FakeStore,
} from './store.js';
import type { Grant } from './store.js';
import { continueUpload, download, startReplacement, startUpload, uploadOffset } from './uploads.js';

/** One call, taken apart. */
export interface Call {
  method: string;
  /** Below `/api/v1`: `['job', '<id>', 'cancel']`. */
  parts: readonly string[];
  query: URLSearchParams;
  grant: Grant | undefined;
  request: IncomingMessage;
  response: ServerResponse;
}

export interface Site {
  store: FakeStore;
  apiUrl: string;
  startedAt: string;
  /** Publishes what Girder publishes for a cancel. */
  revoke: (taskId: string) => Promise<void>;
}

/** Marks a call whose answer was streamed already. */
export const streamed = Symbol('streamed');

/** @throws RestError for whatever Girder refuses */
export async function route(site: Site, call: Call): Promise<unknown> {
  const { method, parts, query } = call;
  const [resource = '', id = '', verb = ''] = parts;
  switch (resource) {
    case 'system':
      if (method === 'GET' && id === 'version') {
        return { release: '3.2.99', serverStartDate: site.startedAt };
      }
      break;
    case 'token':
      if (method === 'GET' && id === 'current') return tokenAnswer(call);
      break;
    case 'user':
      if (method === 'GET' && parts.length === 2) return userRoute(site, id);
      break;
    case 'job':
      return jobRoute(site, call);
    case 'folder':
      return folderRoute(site, call);
    case 'item':
      requireUser(call);
      if (method === 'GET' && id === '') {
        const folderId = query.get('folderId') ?? '';
        return page(sorted(itemsIn(site.store, folderId), query), query).map((item) =>
          itemAnswer(site.store, item),
        );
      }
      if (method === 'GET' && verb === '') return itemAnswer(site.store, found(site.store.items, id, 'item'));
      if (method === 'GET' && verb === 'files') {
        return page(filesIn(site.store, found(site.store.items, id, 'item').id), query).map(fileAnswer);
      }
      break;
    case 'file':
      return fileRoute(site, call);
    case 'slicer_cli_web':
      return cliRoute(site, call);
    default:
      break;
  }
  throw noRoute(call);
}

/** Like Girder, answers null for an unknown token instead of an error. */
function tokenAnswer({ grant }: Call): unknown {
  if (grant === undefined) return null;
  const scope = {
    user: 'core.user_auth',
    job: grant.kind === 'job' ? `jobs.job_${grant.jobId}` : '',
    createJob: 'jobs.rest.create_job',
  }[grant.kind];
  const week = 7 * 24 * 60 * 60 * 1_000;
  return { scope: [scope], expires: timestamp(Date.now() + week) };
}

function userRoute({ store }: Site, id: string): unknown {
  if (id === 'me') {
    // As Girder to the token of a transform: it lacks the scope core.user_info.read.
    return null;
  }
  return userAnswer(found(store.users, id, 'user'));
}

async function jobRoute(site: Site, call: Call): Promise<unknown> {
  const { method, parts, query } = call;
  const [, id = '', verb = ''] = parts;
  const { store, apiUrl } = site;
  if (id === '') {
    if (method === 'POST') return createChildJob(site, call);
    if (method === 'GET') {
      requireUser(call);
      const jobs = [...store.jobs.values()].toReversed();
      return page(jobs, query).map((job) => jobAnswer(job, apiUrl, false));
    }
    throw noRoute(call);
  }
  if (verb === 'cancel' && method === 'PUT') {
    const job = accessibleJob(site, call, id, false);
    if (cancelJob(job) && job.celeryTaskId !== null) await site.revoke(job.celeryTaskId);
    return jobAnswer(job, apiUrl, false);
  }
  if (verb !== '') throw noRoute(call);
  const job = accessibleJob(site, call, id, true);
  if (method === 'GET') return jobAnswer(job, apiUrl, true);
  if (method === 'PUT') {
    updateJob(job, await fieldsOf(call));
    return jobAnswer(job, apiUrl, false);
  }
  throw noRoute(call);
}

function createChildJob({ store, apiUrl }: Site, { grant, query }: Call): unknown {
  if (grant === undefined || grant.kind === 'job') throw invalidScope();
  const other = JSON.parse(query.get('otherFields') ?? '{}') as Record<string, unknown>;
  const parent = [...store.jobs.values()].find(
    (job) => job.celeryTaskId !== null && job.celeryTaskId === other['celeryParentTaskId'],
  );
  const taskId = other['celeryTaskId'];
  const job = addJob(store, {
    title: query.get('title') ?? '<unnamed job>',
    type: query.get('type') ?? 'celery',
    userId: grant.userId,
    parentId: parent?.id ?? null,
    celeryTaskId: typeof taskId === 'string' ? taskId : null,
  });
  return jobAnswer(job, apiUrl, true);
}

/** A job's own token reads and writes that job and nothing else; its owner may do everything with it. */
function accessibleJob({ store }: Site, call: Call, id: string, jobToken: boolean): GirderJob {
  const { grant } = call;
  if (grant === undefined) throw notLoggedIn();
  const job = found(store.jobs, id, 'job');
  const allowed =
    (grant.kind === 'user' && grant.userId === job.userId) ||
    (jobToken && grant.kind === 'job' && grant.jobId === id);
  if (!allowed) throw invalidScope();
  return job;
}

async function folderRoute({ store }: Site, call: Call): Promise<unknown> {
  const { method, parts } = call;
  const query = await fieldsOf(call);
  const id = parts[1] ?? '';
  requireUser(call);
  if (parts.length > 2) throw noRoute(call);
  if (method === 'GET' && id !== '') return folderAnswer(store, found(store.folders, id, 'folder'));
  const parentId = query.get('parentId') ?? '';
  if (method === 'GET') {
    return page(foldersIn(store, parentId), query).map((folder) => folderAnswer(store, folder));
  }
  if (method === 'POST' && id === '') {
    const parent = found(store.folders, parentId, 'folder');
    const name = query.get('name') ?? '';
    const existing = foldersIn(store, parent.id).find((folder) => folder.name === name);
    if (existing !== undefined && query.get('reuseExisting')?.toLowerCase() !== 'true') {
      throw new RestError(400, 'validation', 'A folder with that name already exists here.', 'name');
    }
    const folder = existing ?? addFolder(store, parent.id, name);
    Object.assign(folder.meta, JSON.parse(query.get('metadata') ?? '{}'));
    return folderAnswer(store, folder);
  }
  throw noRoute(call);
}

/** slicer_cli_web's own: a CLI is an item in the folder of its tag. */
async function cliRoute({ store }: Site, call: Call): Promise<unknown> {
  requireUser(call);
  if (call.method !== 'POST' || call.parts[1] !== 'cli') throw noRoute(call);
  const fields = await fieldsOf(call);
  const folder = found(store.folders, fields.get('folder') ?? '', 'folder');
  const name = fields.get('name') ?? '';
  const isSame = (one: FakeItem): boolean => fields.get('replace') === 'true' && one.name === name;
  const item = itemsIn(store, folder.id).find(isSame) ?? addItem(store, folder.id, name);
  item.cli = {
    image: fields.get('image') ?? '',
    type: fields.get('desc_type') ?? '',
    spec: Buffer.from(fields.get('spec') ?? '', 'base64').toString('utf8'),
  };
  return itemAnswer(store, item);
}

async function fileRoute({ store }: Site, call: Call): Promise<unknown> {
  const { method, parts, query, request, response } = call;
  const [, id = '', verb = ''] = parts;
  requireUser(call);
  if (method === 'POST' && id === '') return startUpload(store, query, request);
  if (method === 'POST' && id === 'chunk') return continueUpload(store, query, request);
  if (method === 'GET' && id === 'offset') return uploadOffset(store, query);
  if (id === '' || parts.length > 4) throw noRoute(call);
  const file = found(store.files, id, 'file');
  if (method === 'GET' && verb === '') return fileAnswer(file);
  if (method === 'GET' && verb === 'download') {
    await download(file, query, request, response);
    return streamed;
  }
  if (method === 'PUT' && verb === 'contents') return startReplacement(store, file, query);
  throw noRoute(call);
}

function requireUser({ grant }: Call): void {
  if (grant === undefined) throw notLoggedIn();
  if (grant.kind !== 'user') throw invalidScope();
}

function found<T>(records: ReadonlyMap<string, T>, id: string, what: string): T {
  const record = records.get(id);
  if (record === undefined) throw new RestError(400, 'rest', `Invalid ${what} id (${id}).`);
  return record;
}

/** By name, or by the time of creation. */
function sorted(items: readonly FakeItem[], query: URLSearchParams): readonly FakeItem[] {
  if (query.get('sort') !== 'created') return items;
  const byAge = items.toSorted((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
  return query.get('sortdir') === '-1' ? byAge.toReversed() : byAge;
}

/** Girder's default page is 50; 0 means all. */
function page<T>(list: readonly T[], query: URLSearchParams): T[] {
  const offset = Number(query.get('offset') ?? '0');
  const limit = Number(query.get('limit') ?? '50');
  return list.slice(offset, limit === 0 ? undefined : offset + limit);
}

/** Girder takes fields from the query and from a form alike. */
async function fieldsOf({ query, request }: Call): Promise<URLSearchParams> {
  const fields = new URLSearchParams(query);
  for (const [name, value] of await formBody(request)) fields.set(name, value);
  return fields;
}

async function formBody(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
  return new URLSearchParams(isForm === true ? text : '');
}

function noRoute({ method, parts }: Call): RestError {
  const path = parts.slice(1).join('/');
  return new RestError(400, 'rest', `No matching route for "${method} ${path}"`);
}

function notLoggedIn(): RestError {
  return new RestError(401, 'access', 'You must be logged in or have a valid auth token.');
}

function invalidScope(): RestError {
  return new RestError(401, 'access', 'Invalid token scope.');
}
