import type { Task } from '../../celery/messages/task.js';
import { inputsOf, type Analysis, type Input, type OutputHook } from '../../girder/protocol/analysis.js';
import { readGirderJob } from '../../girder/protocol/read-job.js';
import { streamsOf } from '../../girder/protocol/streams.js';
import { argumentsKey } from '../batches/arguments-key.js';
import type { RunFacts, RunFile } from '../run-state/run.js';

/** Maximum number of files of each kind; a folder of slides may be thousands of arguments. */
const maxFiles = 50;
const maxNameLength = 300;

/**
 * The inputs and outputs of a run, for display. Contains no secrets.
 * @param analysis null for a task that runs no container
 */
export function runFilesOf(task: Task, analysis: Analysis | null): RunFacts {
  const inputs =
    analysis === null ? [] : [...analysis.args.flatMap(inputsOf).map(inputOf), ...inputStreams(analysis)];
  return {
    girderUrl: girderPage(task.headers),
    inputs: distinct(inputs),
    outputs: distinct(analysis?.hooks.map(outputOf) ?? []),
    ...(analysis === null ? {} : { argumentsKey: argumentsKey(analysis) }),
  };
}

function inputOf(input: Input): RunFile {
  switch (input.kind) {
    case 'file':
      return { kind: 'file', name: input.fileName ?? input.fileId, girderId: input.fileId };
    case 'folder':
      return { kind: 'folder', name: input.folderName ?? input.folderId, girderId: input.folderId };
    case 'item':
      return { kind: 'item', name: input.itemId, girderId: input.itemId };
  }
}

function inputStreams(analysis: Analysis): RunFile[] {
  return streamsOf(analysis).flatMap((each) =>
    each.kind === 'input' ? [{ kind: 'stream', name: each.pipe.name, girderId: each.fileId } as const] : [],
  );
}

function outputOf(hook: OutputHook): RunFile {
  switch (hook.kind) {
    case 'uploadToFolder':
      return { kind: 'folder', name: hook.filename, girderId: hook.folderId };
    case 'uploadToItem':
      return { kind: 'item', name: hook.filename, girderId: hook.itemId };
    case 'jobArtifact':
      return { kind: 'artifact', name: hook.name ?? hook.filename, girderId: hook.jobId };
  }
}

function distinct(files: readonly RunFile[]): RunFile[] {
  const seen = new Map<string, RunFile>();
  for (const file of files) {
    const short = { ...file, name: file.name.slice(0, maxNameLength) };
    seen.set(JSON.stringify(short), short);
    if (seen.size === maxFiles) break;
  }
  return [...seen.values()];
}

/** The web page of a Girder job, derived from the API URL as in Girder 3 and 5. */
function girderPage(headers: Task['headers']): string | null {
  const published = headers['girder_api_url'];
  if (typeof published !== 'string' || !URL.canParse(published)) return null;
  const { protocol, origin, pathname } = new URL(published);
  if (protocol !== 'http:' && protocol !== 'https:') return null;
  try {
    const job = readGirderJob(headers);
    return job === null ? null : `${origin}${pathname.replace(/\/api\/v1\/?$/, '')}/#job/${job.id}`;
  } catch {
    return null;
  }
}
