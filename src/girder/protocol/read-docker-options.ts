import { isDict, isList, sequenceItems, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { pythonStr } from '../pickle/python-str.js';
import { rejectMessage } from './reject-message.js';

export interface DockerOptions {
  environment: Record<string, string>;
  gpu: boolean;
  /** Names of the options that have no effect here. */
  ignored: string[];
}

/** Parameters that have no meaning for a batch job, or that the Python worker drops too. */
const silent: readonly string[] = ['pull_image', 'remove_container', 'tty', 'detach', 'remove'];

/** What is left of the task's parameters: options that would go to docker-py's `containers.run`. */
export function readDockerOptions(options: PickledDict): DockerOptions {
  const requests = sequenceItems(options.get('device_requests') ?? null) ?? [];
  const wantsNvidia = options.get('runtime') === 'nvidia';
  const ignored = [...options].filter(([name, value]) => {
    if (name === 'environment' || silent.includes(name) || value === null || value === false) return false;
    if (name === 'runtime') return !wantsNvidia;
    return name !== 'device_requests' || requests.length === 0;
  });
  return {
    environment: Object.fromEntries(readEnvironment(options.get('environment') ?? null)),
    gpu: wantsNvidia || requests.length > 0,
    ignored: ignored.map(([name]) => shownName(name)),
  };
}

/** docker-py's two forms: an object, or a list of `NAME=value`. A name without a value means: not set. */
function readEnvironment(value: Pickled): [string, string][] {
  if (value === null) return [];
  if (isDict(value)) {
    return Array.from(value).flatMap(([name, text]) => (text === null ? [] : [readVariable(name, text)]));
  }
  if (!isList(value)) return rejectMessage('The environment of the task is neither a list nor an object.');
  return value.flatMap((item, index) => {
    if (typeof item !== 'string')
      return rejectMessage(`Entry ${index + 1} of the task's environment is no text.`);
    const at = item.indexOf('=');
    return at === -1 ? [] : [readVariable(item.slice(0, at), item.slice(at + 1))];
  });
}

function readVariable(name: string, value: Pickled): [string, string] {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(name)) {
    return rejectMessage('The environment of the task has a variable with an invalid name.');
  }
  const text = pythonStr(value);
  // The value may be a secret, so it is not quoted.
  if (text === null)
    return rejectMessage(`The environment variable ${name} of the task has no text as its value.`);
  if (text.includes('\0'))
    return rejectMessage(`The environment variable ${name} of the task holds a NUL character.`);
  return [name, text];
}

function shownName(name: string): string {
  return /^\w{1,64}$/.test(name) ? name : JSON.stringify(name.slice(0, 64));
}
