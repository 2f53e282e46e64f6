import type { Analysis, OutputHook } from '../../girder/protocol/analysis.js';
import { mapApiUrl, type ApiUrlMap } from '../../girder/api/api-url.js';
import type { DecoderDump } from '../../girder/pickle/decoder-dump.js';
import { streamsOf, type StreamSink } from '../../girder/protocol/streams.js';
import type { ExplainedHook, ExplainedStream, ExplainedFollowUp } from './explanation.js';

/** What happens to an output. */
export function explainHook(hook: OutputHook, apiUrlMap: ApiUrlMap): ExplainedHook {
  const girder = mapApiUrl(hook.access.apiUrl, apiUrlMap);
  const { kind, filename } = hook;
  switch (hook.kind) {
    case 'uploadToFolder':
    case 'uploadToItem': {
      const goesTo = hook.kind === 'uploadToFolder' ? `folder ${hook.folderId}` : `item ${hook.itemId}`;
      return {
        kind,
        filename,
        goesTo: `${goesTo} at ${girder}`,
        options: [
          ...('mustExist' in hook && hook.mustExist ? ['must exist'] : []),
          ...(hook.deleteFile ? ['removed after the upload'] : []),
          ...Object.entries(hook.upload).map(([name, value]) => `${name}: ${String(value)}`),
        ],
      };
    }
    case 'jobArtifact':
      return {
        kind,
        filename,
        goesTo: `artifact${hook.name === null ? '' : ` ${hook.name}`} of job ${hook.jobId ?? 'of the task'} at ${girder}`,
        options: hook.uploadOnException ? ['also after a failure'] : ['after success only'],
      };
  }
}

/** Streams while the job runs. */
export function explainStreams(analysis: Analysis): ExplainedStream[] {
  return streamsOf(analysis).map((each): ExplainedStream => {
    switch (each.kind) {
      case 'input':
        return { kind: each.kind, stream: each.pipe.name, goesTo: `the container, from file ${each.fileId}` };
      case 'output':
        return { kind: each.kind, stream: each.pipe.name, goesTo: sink(each.sink) };
      case 'progress':
        return { kind: each.kind, stream: each.pipe.name, goesTo: 'the progress of the Girder job' };
      case 'container':
        return { kind: each.kind, stream: each.stream, goesTo: sink(each.sink) };
    }
  });
}

function sink(to: StreamSink): string {
  return to.kind === 'girderLog' ? 'the log of the Girder job' : `POST ${to.url}`;
}

const whens = [
  ['callbacks', 'on success'],
  ['errbacks', 'on failure'],
  ['chain', 'next in chain'],
  ['chord', 'chord'],
] as const;

/** The tasks to be published after this one. The message has a chain in reverse order. */
export function followUps(embed: DecoderDump): ExplainedFollowUp[] {
  const parts = table(embed);
  return whens.flatMap(([name, when]) => {
    const value = parts?.[name] ?? null;
    const signatures = Array.isArray(value) ? value : value === null ? [] : [value];
    const ordered = name === 'chain' ? signatures.toReversed() : signatures;
    return ordered.map((signature): ExplainedFollowUp => {
      const { task, options } = table(signature) ?? {};
      const id = table(options ?? null)?.['task_id'];
      return { when, task: typeof task === 'string' ? task : '?', id: typeof id === 'string' ? id : null };
    });
  });
}

function table(value: DecoderDump): { [key: string]: DecoderDump } | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
}
