import { randomBytes } from 'node:crypto';
import { mkdir, stat, writeFile, copyFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Handler } from './rules.js';

/** The records of the fake Girder, in memory except for file contents. Ids have 24 hex digits, like Girder's. */
export interface User {
  id: string;
  login: string;
  created: string;
}

export interface Folder {
  id: string;
  parentId: string | null;
  name: string;
  created: string;
  /** As `POST folder` set it. */
  meta: Record<string, unknown>;
}

export interface FakeItem {
  id: string;
  folderId: string;
  name: string;
  created: string;
  /** Of an item that is a CLI of an image. */
  cli?: { image: string; type: string; spec: string };
}

export interface StoredFile {
  id: string;
  itemId: string;
  name: string;
  size: number;
  mimeType: string;
  /** Path of its contents. */
  path: string;
  /** `reference` of its upload, verbatim. */
  reference: string | null;
  created: string;
}

export interface GirderJob {
  id: string;
  title: string;
  type: string;
  handler: Handler;
  userId: string;
  parentId: string | null;
  celeryTaskId: string | null;
  status: number;
  log: string[];
  progress: { total: number; current: number; message: string } | null;
  /** Every change of status, in order. */
  timestamps: { status: number; time: string }[];
  created: string;
  updated: string;
  token: string;
}

/** What a token permits. */
export type Grant =
  | { kind: 'user'; userId: string }
  | { kind: 'job'; jobId: string }
  | { kind: 'createJob'; userId: string };

export interface Upload {
  id: string;
  parent: { kind: 'item' | 'folder'; id: string } | { kind: 'file'; id: string };
  name: string;
  size: number;
  received: number;
  mimeType: string;
  reference: string | null;
  path: string;
}

export interface FakeStore {
  users: Map<string, User>;
  folders: Map<string, Folder>;
  items: Map<string, FakeItem>;
  files: Map<string, StoredFile>;
  jobs: Map<string, GirderJob>;
  uploads: Map<string, Upload>;
  grants: Map<string, Grant>;
  /** Where file contents are kept. */
  dir: string;
}

export async function createFakeStore(dir: string): Promise<FakeStore> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return {
    users: new Map(),
    folders: new Map(),
    items: new Map(),
    files: new Map(),
    jobs: new Map(),
    uploads: new Map(),
    grants: new Map(),
    dir,
  };
}

export const newId = (): string => randomBytes(12).toString('hex');

/** 64 letters and digits, like Girder's. */
const newToken = (): string => randomBytes(32).toString('hex');

/** `2026-11-23T10:00:02.530000+00:00`: Python's spelling. */
export const timestamp = (at = Date.now()): string => new Date(at).toISOString().replace('Z', '000+00:00');

export function grant(store: FakeStore, what: Grant): string {
  const token = newToken();
  store.grants.set(token, what);
  return token;
}

export function addFolder(store: FakeStore, parentId: string | null, name: string): Folder {
  const folder = { id: newId(), parentId, name, created: timestamp(), meta: {} };
  store.folders.set(folder.id, folder);
  return folder;
}

/** A second item of the same name becomes `name (1)`, as in Girder. */
export function addItem(store: FakeStore, folderId: string, name: string): FakeItem {
  const taken = new Set(itemsIn(store, folderId).map((item) => item.name));
  let free = name;
  for (let n = 1; taken.has(free); n += 1) free = `${name} (${n})`;
  const item = { id: newId(), folderId, name: free, created: timestamp() };
  store.items.set(item.id, item);
  return item;
}

/** Puts a file into an item; `content` is its bytes, or the path of a file to copy. */
export async function addFile(
  store: FakeStore,
  itemId: string,
  name: string,
  content: Uint8Array | string,
): Promise<StoredFile> {
  const id = newId();
  const path = join(store.dir, id);
  if (typeof content === 'string') await copyFile(content, path);
  else await writeFile(path, content);
  const { size } = await stat(path);
  const mimeType = guessMimeType(name);
  const file = { id, itemId, name, size, mimeType, path, reference: null, created: timestamp() };
  store.files.set(id, file);
  return file;
}

export const foldersIn = (store: FakeStore, parentId: string): Folder[] =>
  byName([...store.folders.values()].filter((folder) => folder.parentId === parentId));

export const itemsIn = (store: FakeStore, folderId: string): FakeItem[] =>
  byName([...store.items.values()].filter((item) => item.folderId === folderId));

export const filesIn = (store: FakeStore, itemId: string): StoredFile[] =>
  byName([...store.files.values()].filter((file) => file.itemId === itemId));

function byName<T extends { name: string }>(list: T[]): T[] {
  return list.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function guessMimeType(name: string): string {
  const types: Readonly<Record<string, string>> = {
    '.tif': 'image/tiff',
    '.tiff': 'image/tiff',
    '.json': 'application/json',
    '.csv': 'text/csv',
    '.txt': 'text/plain',
  };
  return types[extname(name).toLowerCase()] ?? 'application/octet-stream';
}
