/**
 * What one task asks for, in plain data: the container to run, its arguments, its volumes and what to do with its
 * outputs. Made from the published message by `readAnalysis`; nothing has been contacted yet.
 */

import type { GirderSession } from '../api/requests-session.js';
import type { StreamConnector } from './streams.js';

/** How to reach one Girder as one user: taken from a transform's `gc`. */
export interface GirderAccess {
  /** Without trailing slash: `http://girder:8080/api/v1`. */
  apiUrl: string;
  token: string;
}

/** How to report on a Girder job: header `jobInfoSpec`. */
export interface GirderJobRef {
  id: string;
  url: string;
  method: string;
  headers: Record<string, string>;
  /** Header `girder_client_session_kwargs`; for job updates only. */
  session: GirderSession;
}

/** A directory or file that the container sees. */
export type VolumeRef =
  /** The one default temporary volume of a task; all mentions mean the same directory. */
  | { kind: 'default' }
  /** A temporary volume; `identity` tells two of them apart: `body:17`, or `hook0:5` for one that only a hook knows. */
  /** `hostDirMode`: permissions of `hostDir`, if it has to be made. */
  | { kind: 'temporary'; identity: string; hostDir: string | null; hostDirMode?: number; mode: 'ro' | 'rw' }
  | { kind: 'bind'; host: string; container: string; mode: 'ro' | 'rw' };

/** An input that Girder has. Equal `identity` means: the producer's same object, fetched once. */
export type Input =
  | {
      kind: 'file';
      identity: string;
      access: GirderAccess;
      fileId: string;
      fileName: string | null;
      volume: VolumeRef;
      /** Readable path of the same file on this host, to be bound read-only instead of downloaded. */
      directPath: string | null;
      /** The direct path counts only where the operator has opened it: setting `girder.directPaths`. */
      directIfOpened: boolean;
    }
  | {
      kind: 'folder';
      identity: string;
      access: GirderAccess;
      folderId: string;
      folderName: string | null;
      volume: VolumeRef;
    }
  | {
      kind: 'item';
      identity: string;
      access: GirderAccess;
      itemId: string;
      volume: VolumeRef;
      /** What the argument becomes: the item itself in that directory, or the directory. */
      path: 'entry' | 'directory';
    };

/** One container argument. */
export type ContainerArgument =
  | { kind: 'text'; text: string }
  | Input
  /** Several inputs in one argument: their paths with commas between them. */
  | { kind: 'joined'; parts: readonly Input[] }
  /** A new, empty directory. */
  | { kind: 'directory'; identity: string }
  /** Becomes the pipe's path in the container; empty if it has none. */
  | { kind: 'stream'; connector: StreamConnector }
  | { kind: 'volumePath'; filename: string; volume: VolumeRef }
  | { kind: 'volume'; volume: VolumeRef }
  | { kind: 'apiUrl'; access: GirderAccess }
  | { kind: 'token'; access: GirderAccess };

/** The inputs that an argument names. */
export function inputsOf(argument: ContainerArgument): readonly Input[] {
  switch (argument.kind) {
    case 'joined':
      return argument.parts;
    case 'file':
    case 'folder':
    case 'item':
      return [argument];
    default:
      return [];
  }
}

/** What is done with an output when the container has ended well. */
export type OutputHook =
  | {
      kind: 'uploadToFolder';
      access: GirderAccess;
      folderId: string;
      filename: string;
      volume: VolumeRef;
      mustExist: boolean;
      deleteFile: boolean;
      upload: UploadOptions;
    }
  | {
      kind: 'uploadToItem';
      access: GirderAccess;
      itemId: string;
      filename: string;
      volume: VolumeRef;
      deleteFile: boolean;
      upload: UploadOptions;
    }
  | {
      kind: 'jobArtifact';
      access: GirderAccess;
      jobId: string | null;
      name: string | null;
      filename: string;
      volume: VolumeRef;
      uploadOnException: boolean;
    };

/** `upload_kwargs` of a hook, verbatim. */
export interface UploadOptions {
  reference?: string;
  filename?: string;
  mimeType?: string;
}

export interface Analysis {
  /** Container image as published: `example/small:v1`. */
  image: string;
  /** What `docker_run` asks for instead of the image's own; null: the image decides; empty: none, the arguments are it. */
  entrypoint: readonly string[] | null;
  args: readonly ContainerArgument[];
  /** Volumes named outside the arguments. */
  volumes: readonly VolumeRef[];
  /** Connections named outside the arguments. */
  streams: readonly StreamConnector[];
  hooks: readonly OutputHook[];
  /** Environment of the container, from docker's `environment` option. */
  environment: Readonly<Record<string, string>>;
  /** The message itself asks for a GPU (docker's `runtime` or `device_requests`). */
  gpu: boolean;
  /** Docker options that mean nothing to Apptainer, named for the log. */
  ignoredOptions: readonly string[];
  /** Title of the Girder job, where a hook carries it. */
  title: string | null;
  /** Girder's id of the user who started it, where an output names it. */
  ownerId: string | null;
}

/**
 * An analysis whose inputs are in place: what the batch job needs, and what collecting needs afterwards. Plain data,
 * because it is journaled and survives a restart.
 */
export interface StagedAnalysis {
  args: readonly string[];
  /** Some argument is a Girder token: it must not be seen in a process list or by `scontrol show job`. */
  argsHoldToken: boolean;
  binds: readonly StagedBind[];
  /** Directories that were made for this run alone; removed at its end. */
  ownDirectories: readonly string[];
  /** The files that stand for the pipes of `streamsOf`, in that order; null for one without. Older journals have none. */
  pipes?: readonly (string | null)[];
  /** Files that were made in directories which are not ours; removed at the end of the run. */
  ownFiles?: readonly string[];
  /** Where each temporary volume is, by `default` or its identity. */
  volumes: Readonly<Record<string, { host: string; container: string }>>;
}

export interface StagedBind {
  host: string;
  container: string;
  mode: 'ro' | 'rw';
}
