import type { Analysis, ContainerArgument, VolumeRef } from './analysis.js';
import { rejectChords } from '../canvas/chords.js';
import { sequenceItems, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { readArguments, readArgumentText } from './read-arguments.js';
import { readDockerOptions } from './read-docker-options.js';
import { readText } from './read-fields.js';
import { readHooks, readOwnerId, readTitle } from './read-hooks.js';
import { decodeMessage, type TaskMessage } from './read-message.js';
import { readStreams } from './read-streams.js';
import { createVolumeReader, readVolumes } from './read-volumes.js';
import { quoted, rejectMessage } from './reject-message.js';
import type { StreamConnector } from './streams.js';
import { generalContainerTask, whyNotRunnable } from './task-names.js';

/** The part of a task message from which the analysis is read. */
export interface AnalysisTask extends TaskMessage {
  name: string;
}

/** The positional parameters of `docker_run`. Source: girder_worker docker/tasks. */
const dockerRunParameters = [
  'image',
  'pull_image',
  'entrypoint',
  'container_args',
  'volumes',
  'remove_container',
  'stream_connectors',
] as const;

/**
 * Reads what a task asks for. Pure: the same task always gives the same analysis.
 * @throws DsaSlurmError `message`, readable for the owner of the slide, if this worker cannot run the task
 */
export function readAnalysis(task: AnalysisTask): Analysis {
  const refusal = whyNotRunnable(task.name);
  if (refusal !== null) return rejectMessage(refusal);
  const message = decodeMessage(task, { exact: true });
  rejectChords(message.embed);
  const parameters = bindParameters(task.name, sequenceItems(message.args) ?? [], message.kwargs);
  const take = (name: string): Pickled => {
    const value = parameters.get(name) ?? null;
    parameters.delete(name);
    return value;
  };
  const readVolume = createVolumeReader('body');
  const image = readImage(take('image'));
  const entrypoint = readEntrypoint(take('entrypoint'));
  const args = readArguments(take('container_args'), readVolume);
  const volumes = readVolumes(take('volumes'), readVolume);
  const streams = readStreams(take('stream_connectors'), readVolume);
  const { environment, gpu, ignored } = readDockerOptions(parameters);
  const hooks = message.hooks ?? [];
  return {
    image,
    entrypoint,
    args,
    volumes,
    streams,
    hooks: readHooks(hooks, [...volumes, ...args.flatMap(argumentVolume), ...streams.flatMap(streamVolume)]),
    environment,
    gpu,
    ignoredOptions: ignored,
    title: readTitle(hooks),
    ownerId: readOwnerId(hooks),
  };
}

/** Parameters by name, as Python would bind them. */
function bindParameters(task: string, args: readonly Pickled[], kwargs: PickledDict): Map<string, Pickled> {
  const names = task === generalContainerTask ? dockerRunParameters : [];
  const parameters = new Map(kwargs);
  for (const [position, value] of args.entries()) {
    const name = names[position];
    if (name === undefined) return rejectMessage('The task has too many positional arguments.');
    if (parameters.has(name)) return rejectMessage(`The task has the argument ${name} twice.`);
    parameters.set(name, value);
  }
  return parameters;
}

/** Rejects names that would break a command line or a log; src/apptainer interprets the name. */
function readImage(value: Pickled): string {
  const image = readText('The task', 'container image', value);
  if (!/^[^\s\p{C}-][^\s\p{C}]{0,511}$/u.test(image)) {
    return rejectMessage(`The container image of the task is invalid: ${quoted(image)}.`);
  }
  return image;
}

/**
 * Docker's entry point. A string is split at white space, as docker-py does; quoting in it is rejected rather than guessed. An
 * empty entry point means that the arguments alone are the command.
 */
function readEntrypoint(value: Pickled): string[] | null {
  if (value === null) return null;
  const subject = 'The entry point of the task';
  if (typeof value === 'string') {
    const text = readArgumentText(subject, value);
    if (/["'\\#]/.test(text)) return rejectMessage(`${subject} is a string with quotes; use a list instead.`);
    return text.split(/\s+/).filter((word) => word !== '');
  }
  const items = sequenceItems(value) ?? rejectMessage(`${subject} is neither a string nor a list.`);
  return items.map((item) => readArgumentText(subject, item));
}

function argumentVolume(argument: ContainerArgument): VolumeRef[] {
  if (argument.kind === 'stream') return streamVolume(argument.connector);
  if (argument.kind === 'joined') return argument.parts.map(({ volume }) => volume);
  return 'volume' in argument ? [argument.volume] : [];
}

function streamVolume(connector: StreamConnector): VolumeRef[] {
  return 'pipe' in connector ? [connector.pipe.volume] : [];
}
