import path from 'node:path';

import { DsaSlurmError } from '../../base/errors.js';
import { mapApiUrl, segment, type ApiUrlMap } from '../../girder/api/api-url.js';
import type { Analysis, StagedAnalysis } from '../../girder/protocol/analysis.js';
import type { BindUse } from '../../girder/transfer/bind-guard.js';
import { safeName } from '../../girder/transfer/file-names.js';
import { inputId, resolveArguments } from '../../girder/transfer/resolve-arguments.js';
import { createVolumes } from '../../girder/transfer/volumes.js';

export interface DryRunOptions {
  runId: string;
  tmpDir: string;
  mountPrefix: string | null;
  directPaths: boolean;
  apiUrlMap: ApiUrlMap;
  /** Whether a file can be read on this host. */
  isReadableFile: (file: string) => Promise<boolean>;
  /** Refuses a host path that no container may see. @throws DsaSlurmError `files` */
  guardBind: (host: string, use: BindUse) => Promise<void>;
}

/** One input, before it is downloaded. */
export interface DryRunInput {
  kind: 'file' | 'folder' | 'item' | 'pipe';
  id: string;
  /** URL in Girder, as reached from this host; or the path of a file that is used directly. */
  from: string;
  direct: boolean;
  /** Path in the container. */
  container: string;
}

export interface DryRunStaging {
  staged: StagedAnalysis;
  inputs: DryRunInput[];
  /** Errors of staging that can be known in advance. */
  refusals: DsaSlurmError[];
}

/** In place of a side effect. */
const nothing = async (): Promise<void> => undefined;

/** Placeholder for a name that only Girder knows. */
export const unknownName = '<name from Girder>';

/**
 * Stages an analysis without the disk and without Girder: the same directories and arguments as `stageAnalysis`, with
 * placeholders for names that only Girder knows and for the random part of volumes in the container.
 */
export async function dryRunStaging(analysis: Analysis, options: DryRunOptions): Promise<DryRunStaging> {
  const refusals = new Map<string, DsaSlurmError>();
  const refuse = (error: DsaSlurmError): void => void refusals.set(error.message, error);
  const inputs: DryRunInput[] = [];
  const download = (
    input: Omit<DryRunInput, 'from' | 'direct'>,
    apiUrl: string,
    resource: 'file' | 'folder' | 'item',
  ): void => {
    const url = `${mapApiUrl(apiUrl, options.apiUrlMap).replace(/\/+$/, '')}/${resource}/${segment(input.id)}`;
    inputs.push({ ...input, from: url, direct: false });
  };

  const volumes = await createVolumes(
    {
      async guard(host, use) {
        try {
          await options.guardBind(host, use);
        } catch (error) {
          if (!(error instanceof DsaSlurmError)) throw error;
          refuse(error);
        }
      },
      createOwn: nothing,
      create: nothing,
      createHostDirectory: nothing,
      recordFile: nothing,
      containerName: (count) => `<volume-${count}>`,
    },
    { ...options, refuse },
  );
  const staged = await resolveArguments(
    analysis,
    {
      volumes,
      isReadableFile: options.isReadableFile,
      onDirectInput(input, { host, container }) {
        inputs.push({ kind: input.kind, id: inputId(input), from: host, direct: true, container });
      },
      async fetch(input, makeDirectory) {
        const { kind } = input;
        const directory = await makeDirectory();
        const name = kind === 'file' ? input.fileName : kind === 'folder' ? input.folderName : null;
        const isDirectory = kind === 'item' && input.path === 'directory';
        const container = isDirectory
          ? directory.container
          : path.posix.join(directory.container, name === null ? unknownName : safeName(name));
        download({ kind, id: inputId(input), container }, input.access.apiUrl, kind);
        return container;
      },
      makeParent: nothing,
      async makePipe(connector, { container }) {
        if (connector.kind !== 'input') return;
        download({ kind: 'pipe', id: connector.fileId, container }, connector.access.apiUrl, 'file');
      },
      refuse,
    },
    options,
  );
  return { staged, inputs, refusals: [...refusals.values()] };
}
