import { isDict, isList, sequenceItems, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { pythonStr } from '../pickle/python-str.js';
import { rejectMessage } from './reject-message.js';

interface DockerOptions {
  environment: Record<string, string>;
  gpu: boolean;
  /** Names of options that have no effect. */
  ignored: string[];
}

/** Options ignored without a note, because they do not concern a batch job or because girder_worker drops them too. */
const ignoredSilently: readonly string[] = ['pull_image', 'remove_container', 'tty', 'detach', 'remove'];

/** Reads the remaining parameters of the task, which girder_worker passes to docker-py's `containers.run`. */
export function readDockerOptions(options: PickledDict): DockerOptions {
  const requests = sequenceItems(options.get('device_requests') ?? null) ?? [];
  const usesNvidia = options.get('runtime') === 'nvidia';
  const ignored = [...options].filter(([name, value]) => {
    if (name === 'environment' || ignoredSilently.includes(name) || value === null || value === false)
      return false;
    if (name === 'runtime') return !usesNvidia;
    return name !== 'device_requests' || requests.length === 0;
  });
  return {
    environment: Object.fromEntries(readEnvironment(options.get('environment') ?? null)),
    gpu: usesNvidia || requests.length > 0,
    ignored: ignored.map(([name]) => displayName(name)),
  };
}

/** Accepts docker-py's two forms: an object, or a list of `NAME=value`. A name without a value leaves the variable unset. */
function readEnvironment(value: Pickled): [string, string][] {
  if (value === null) return [];
  if (isDict(value)) {
    return Array.from(value).flatMap(([name, text]) => (text === null ? [] : [readVariable(name, text)]));
  }
  if (!isList(value)) return rejectMessage('The environment of the task is neither a list nor an object.');
  return value.flatMap((item, index) => {
    if (typeof item !== 'string')
      return rejectMessage(`Entry ${index + 1} of the task's environment is not a string.`);
    const at = item.indexOf('=');
    return at === -1 ? [] : [readVariable(item.slice(0, at), item.slice(at + 1))];
  });
}

function readVariable(name: string, value: Pickled): [string, string] {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(name)) {
    return rejectMessage('The environment of the task has a variable with an invalid name.');
  }
  const text = pythonStr(value);
  // the value may be a secret, so errors do not quote it
  if (text === null)
    return rejectMessage(`The environment variable ${name} of the task has an unsupported value.`);
  if (text.includes('\0'))
    return rejectMessage(`The environment variable ${name} of the task contains a NUL character.`);
  return [name, text];
}

function displayName(name: string): string {
  return /^\w{1,64}$/.test(name) ? name : JSON.stringify(name.slice(0, 64));
}
