/**
 * What one task asks for, as plain data: the container to run, its arguments, its volumes and what to do with its outputs.
 * `readAnalysis` builds it from the message alone.
 */

import type { GirderSession } from '../api/requests-session.js';
import type { StreamConnector } from './streams.js';

/** API URL and token of one Girder user, from a transform's `gc`. */
export interface GirderAccess {
  /** Without trailing slash: `http://girder:8080/api/v1`. */
  apiUrl: string;
  token: string;
}

/** How to update a Girder job, from the header `jobInfoSpec`. */
export interface GirderJobRef {
  id: string;
  url: string;
  method: string;
  headers: Record<string, string>;
  /** From the header `girder_client_session_kwargs`; applies to job updates only. */
  session: GirderSession;
}

/** A directory or file that is mounted into the container. */
export type VolumeRef =
  /** The default temporary volume, of which each task has exactly one. */
  | { kind: 'default' }
  /**
   * A temporary volume. `identity` distinguishes them: `body:17`, or `hook0:5` for one that appears in a hook only.
   * `hostDirMode`: permissions of `hostDir`, if it does not exist yet.
   */
  | { kind: 'temporary'; identity: string; hostDir: string | null; hostDirMode?: number; mode: 'ro' | 'rw' }
  | { kind: 'bind'; host: string; container: string; mode: 'ro' | 'rw' };

/** An input stored in Girder. Inputs with equal `identity` are the same Python object and are fetched once. */
export type Input =
  | {
      kind: 'file';
      identity: string;
      access: GirderAccess;
      fileId: string;
      fileName: string | null;
      volume: VolumeRef;
      /** Path of the same file on this host; if readable, it is mounted read-only instead of downloaded. */
      directPath: string | null;
      /** Use `directPath` only if the setting `girder.directPaths` allows it. */
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
      /** Whether the argument becomes the path of the item or of the directory that contains it. */
      path: 'entry' | 'directory';
    };

/** One container argument. */
export type ContainerArgument =
  | { kind: 'text'; text: string }
  | Input
  /** Several inputs in one argument: their paths, separated by commas. */
  | { kind: 'joined'; parts: readonly Input[] }
  /** A new, empty directory. */
  | { kind: 'directory'; identity: string }
  /** Becomes the path of the pipe in the container; empty without a pipe. */
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

/** What to do with an output after the container has succeeded. */
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
  /** Overrides the image's entry point; null: keep that of the image; empty: the arguments alone are the command. */
  entrypoint: readonly string[] | null;
  args: readonly ContainerArgument[];
  /** Volumes named outside the arguments. */
  volumes: readonly VolumeRef[];
  /** Stream connectors named outside the arguments. */
  streams: readonly StreamConnector[];
  hooks: readonly OutputHook[];
  /** Environment of the container, from docker's `environment` option. */
  environment: Readonly<Record<string, string>>;
  /** The message itself asks for a GPU (docker's `runtime` or `device_requests`). */
  gpu: boolean;
  /** Names of Docker options that have no equivalent in Apptainer, for the log. */
  ignoredOptions: readonly string[];
  /** Title of the Girder job, if a hook contains it. */
  title: string | null;
  /** Girder's id of the user who started the task, if a hook contains it. */
  ownerId: string | null;
}

/**
 * An analysis whose inputs are in place: what the batch job and the upload of outputs need. Plain data, because it is
 * journaled and survives a restart.
 */
export interface StagedAnalysis {
  args: readonly string[];
  /** An argument is a Girder token, which must not appear in process lists or in `scontrol show job`. */
  argsHoldToken: boolean;
  binds: readonly StagedBind[];
  /** Directories created for this run; removed at its end. */
  ownDirectories: readonly string[];
  /** The files that replace the pipes, in the order of `streamsOf`; null without a pipe. Absent in older journals. */
  pipes?: readonly (string | null)[];
  /** Files created in directories of others; removed at the end of the run. */
  ownFiles?: readonly string[];
  /** Paths of the temporary volumes, by `default` or their identity. */
  volumes: Readonly<Record<string, { host: string; container: string }>>;
}

export interface StagedBind {
  host: string;
  container: string;
  mode: 'ro' | 'rw';
}
