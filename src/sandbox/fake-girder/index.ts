import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { jobInfoSpec, RestError } from './answers.js';
import { addJob, cancelJob, loadForLateSave } from './jobs.js';
import type { Handler } from './rules.js';
import { route, streamed, type Site } from './routes.js';
import { addFile, addFolder, addItem, createFakeStore, filesIn, foldersIn, grant } from './store.js';
import { itemsIn, newId, timestamp, type Folder, type GirderJob, type FakeItem } from './store.js';
import type { StoredFile } from './store.js';

export type { Folder, GirderJob, FakeItem, StoredFile } from './store.js';

/** A received request, without its secrets. */
export interface RequestRecord {
  at: number;
  method: string;
  /** Path and query below `/api/v1`. */
  path: string;
  status: number;
}

/** A fault that replaces the regular response to a request. */
export type Fault =
  /** any response, such as a proxy's error page */
  | {
      kind: 'answer';
      status: number;
      contentType: string;
      body: string;
      headers?: Readonly<Record<string, string>>;
    }
  /** the connection is closed without a response */
  | { kind: 'drop' }
  /** the request is carried out, then the connection is closed without a response */
  | { kind: 'lost answer' }
  /** the response stalls, for `forMs` or until the client gives up */
  | { kind: 'hold'; begun?: { length: number; bytes: string }; forMs?: number };

export interface FakeGirder {
  /** `http://127.0.0.1:<port>/api/v1`, without trailing slash. */
  apiUrl: string;
  /** The only user, and a token with all of their rights. */
  userId: string;
  userToken: string;
  /** The root folder. */
  rootFolderId: string;
  createJob(options: { title: string; type: string; celeryTaskId: string; handler?: Handler }): GirderJob;
  jobInfoSpec(job: GirderJob): ReturnType<typeof jobInfoSpec>;
  /** A token that can only create child jobs: header `girder_client_token`. */
  clientToken(): string;
  /** Forgets a token, as Girder does when it expires. */
  expireToken(token: string): void;
  job(id: string): GirderJob | undefined;
  jobs(): GirderJob[];
  /** Cancels a job as the web page does: sets the status and calls `revoke`. */
  cancel(jobId: string): Promise<void>;
  /** Same as `DELETE job/:id`. */
  deleteJob(jobId: string): void;
  addFolder(parentId: string, name: string): Folder;
  /** Adds a file in a new item of the folder; `content` is its bytes or the path of a file to copy. */
  addFile(folderId: string, name: string, content: Uint8Array | string): Promise<StoredFile>;
  folders(parentId: string): Folder[];
  items(folderId: string): FakeItem[];
  files(itemId: string): StoredFile[];
  requests(): readonly RequestRecord[];
  /** Loads a job as slicer_cli_web does after publishing its task; the returned function saves that old state. */
  loadForLateSave(jobId: string): () => void;
  /**
   * From now on each job is loaded at the first request for it and saved that many milliseconds later, as slicer_cli_web
   * does; null: no late save for this job.
   */
  saveLate(afterMs: () => number | null): void;
  /** From now on every request gets the fault that `fault` returns, if any; without argument: no faults. */
  fail(fault?: (method: string, path: string) => Fault | undefined): void;
  stop(): Promise<void>;
}

/**
 * A fake Girder in this process, on the loopback interface: the REST endpoints that a worker uses, over in-memory
 * records, with Girder's own rules for statuses and tokens. It has no login, no search and no web page.
 */
export async function startFakeGirder({
  dir,
  login = 'pathologist',
  revoke = () => Promise.resolve(),
}: {
  /** Holds the contents of files. */
  dir: string;
  login?: string;
  /** Publishes the revoke of a canceled task, as Girder does. */
  revoke?: (taskId: string) => Promise<void>;
}): Promise<FakeGirder> {
  const store = await createFakeStore(join(dir, 'assetstore'));
  const user = { id: newId(), login, created: timestamp() };
  store.users.set(user.id, user);
  const root = addFolder(store, null, 'Sandbox');
  const site: Site = { store, apiUrl: '', startedAt: timestamp(), revoke };
  const requests: RequestRecord[] = [];
  let lateMs: (() => number | null) | undefined;
  const askedFor = new Set<string>();
  /** Before the first call about a job is answered. */
  const beforeAnswer = (path: string): void => {
    const job = store.jobs.get(/^job\/(\w+)/.exec(path)?.[1] ?? '');
    if (job === undefined || askedFor.has(job.id)) return;
    askedFor.add(job.id);
    const ms = lateMs?.() ?? null;
    if (ms !== null) setTimeout(loadForLateSave(job), ms).unref();
  };
  let fault: ((method: string, path: string) => Fault | undefined) | undefined;

  const server = createServer((request, response) => {
    const method = request.method ?? 'GET';
    const path = (request.url ?? '/').replace(/^\/api\/v1\//, '');
    const record = (status: number) => {
      requests.push({ at: Date.now(), method, path, status });
      if (requests.length > 20_000) requests.splice(0, 10_000);
    };
    const spoiled = fault?.(method, path);
    if (spoiled?.kind === 'drop') {
      record(0);
      request.socket.destroy();
      return;
    }
    if (spoiled?.kind === 'hold') {
      record(0);
      const { begun, forMs } = spoiled;
      if (forMs !== undefined) setTimeout(() => request.socket.destroy(), forMs).unref();
      if (begun === undefined) return;
      response.writeHead(200, { 'Content-Length': begun.length });
      response.write(begun.bytes);
      return;
    }
    if (spoiled?.kind === 'lost answer') muffle(request, response);
    else if (spoiled !== undefined) {
      record(spoiled.status);
      request.resume();
      response.writeHead(spoiled.status, { ...spoiled.headers, 'Content-Type': spoiled.contentType });
      response.end(spoiled.body);
      return;
    }
    beforeAnswer(path);
    void answer(site, request, response).then(record);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  site.apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;

  return {
    apiUrl: site.apiUrl,
    userId: user.id,
    userToken: grant(store, { kind: 'user', userId: user.id }),
    rootFolderId: root.id,
    createJob: (options) => addJob(store, { ...options, userId: user.id }),
    jobInfoSpec: (job) => jobInfoSpec(job, site.apiUrl),
    clientToken: () => grant(store, { kind: 'createJob', userId: user.id }),
    expireToken: (token) => void store.grants.delete(token),
    job: (id) => store.jobs.get(id),
    jobs: () => [...store.jobs.values()],
    async cancel(jobId) {
      const job = store.jobs.get(jobId);
      if (job !== undefined && cancelJob(job) && job.celeryTaskId !== null) {
        await revoke(job.celeryTaskId);
      }
    },
    deleteJob: (jobId) => void store.jobs.delete(jobId),
    addFolder: (parentId, name) => addFolder(store, parentId, name),
    addFile: (folderId, name, content) => addFile(store, addItem(store, folderId, name).id, name, content),
    folders: (parentId) => foldersIn(store, parentId),
    items: (folderId) => itemsIn(store, folderId),
    files: (itemId) => filesIn(store, itemId),
    requests: () => requests,
    loadForLateSave: (jobId) => {
      const job = store.jobs.get(jobId);
      return job === undefined ? () => undefined : loadForLateSave(job);
    },
    saveLate: (afterMs) => {
      lateMs = afterMs;
    },
    fail: (wanted) => {
      fault = wanted;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Discards the response, and closes the connection at its end. */
function muffle(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead = () => response;
  response.write = () => true;
  response.end = () => {
    request.socket.destroy();
    return response;
  };
}

/** Answers one request; never rejects. @returns the HTTP status, 0 for a closed connection */
async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<number> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const token = request.headers['girder-token'] ?? url.searchParams.get('token') ?? '';
  try {
    const result = await route(site, {
      method: request.method ?? 'GET',
      parts: pathParts(url),
      query: url.searchParams,
      grant: site.store.grants.get(String(token)),
      request,
      response,
    });
    if (result !== streamed) send(response, 200, result);
    return response.statusCode;
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return 0;
    }
    const refused = error instanceof RestError ? error : new RestError(500, 'internal', String(error));
    request.resume();
    send(response, refused.status, refused.body);
    return refused.status;
  }
}

function pathParts(url: URL): string[] {
  const [, api, version, ...parts] = url.pathname.split('/');
  if (api !== 'api' || version !== 'v1') throw new RestError(404, 'rest', 'Not found.');
  return parts.map((part) => decodeURIComponent(part));
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json;charset=utf-8' });
  response.end(JSON.stringify(body));
}
