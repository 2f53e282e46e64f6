import { extname } from 'node:path';
import { filesIn, itemsIn, type Folder, type GirderJob, type FakeItem } from './store.js';
import type { FakeStore, StoredFile, Upload, User } from './store.js';

/** Records as Girder's REST API returns them; keys and their order as in recorded responses. */

/** An error response. `type` is Girder's: `rest`, `access` or `validation`. */
export class RestError extends Error {
  readonly status: number;
  readonly body: Record<string, string>;

  constructor(status: number, type: string, message: string, field?: string) {
    super(message);
    this.status = status;
    this.body = { ...(field === undefined ? {} : { field }), message, type };
  }
}

export function userAnswer(user: User): Record<string, unknown> {
  return {
    _accessLevel: 2,
    _id: user.id,
    _modelType: 'user',
    admin: false,
    created: user.created,
    firstName: user.login,
    lastName: 'Sandbox',
    login: user.login,
    public: true,
  };
}

export function folderAnswer(store: FakeStore, folder: Folder): Record<string, unknown> {
  const files = itemsIn(store, folder.id).flatMap((item) => filesIn(store, item.id));
  return {
    _accessLevel: 2,
    _id: folder.id,
    _modelType: 'folder',
    created: folder.created,
    description: '',
    meta: {},
    name: folder.name,
    parentCollection: folder.parentId === null ? 'collection' : 'folder',
    parentId: folder.parentId,
    public: true,
    size: files.reduce((sum, file) => sum + file.size, 0),
    updated: folder.created,
  };
}

export function itemAnswer(store: FakeStore, item: FakeItem): Record<string, unknown> {
  return {
    _id: item.id,
    _modelType: 'item',
    created: item.created,
    description: '',
    folderId: item.folderId,
    meta: {},
    name: item.name,
    size: filesIn(store, item.id).reduce((sum, file) => sum + file.size, 0),
    updated: item.created,
  };
}

export function fileAnswer(file: StoredFile): Record<string, unknown> {
  const extension = extname(file.name).slice(1).toLowerCase();
  return {
    _id: file.id,
    _modelType: 'file',
    created: file.created,
    exts: extension === '' ? [] : [extension],
    itemId: file.itemId,
    mimeType: file.mimeType,
    name: file.name,
    size: file.size,
  };
}

export function uploadAnswer(upload: Upload): Record<string, unknown> {
  return {
    _id: upload.id,
    mimeType: upload.mimeType,
    name: upload.name,
    parentId: upload.parent.id,
    parentType: upload.parent.kind,
    received: upload.received,
    size: upload.size,
  };
}

/** `log` is only in the answer to a GET. */
export function jobAnswer(job: GirderJob, apiUrl: string, withLog: boolean): object {
  return {
    _accessLevel: -1,
    _id: job.id,
    _modelType: 'job',
    asynchronous: false,
    celeryTaskId: job.celeryTaskId,
    created: job.created,
    handler: job.handler,
    interval: 0,
    jobInfoSpec: jobInfoSpec(job, apiUrl),
    ...(withLog ? { log: job.log } : {}),
    meta: {},
    parentId: job.parentId,
    progress: job.progress,
    public: false,
    status: job.status,
    timestamps: job.timestamps,
    title: job.title,
    type: job.type,
    updated: job.updated,
    userId: job.userId,
    when: job.created,
  };
}

/** What the worker needs to report on a job. */
export function jobInfoSpec(job: GirderJob, apiUrl: string) {
  return {
    method: 'PUT',
    url: `${apiUrl}/job/${job.id}`,
    reference: job.id,
    headers: { 'Girder-Token': job.token },
    logPrint: true,
  };
}
