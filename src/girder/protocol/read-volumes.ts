import type { VolumeRef } from './analysis.js';
import { transformName } from './classes.js';
import {
  attribute,
  isDict,
  isInstance,
  sequenceItems,
  type Pickled,
  type PickledInstance,
} from '../pickle/pickled.js';
import { readAbsolutePath, readText, type Subject } from './read-fields.js';
import { quoted, rejectMessage } from './reject-message.js';

/** Reads one volume of a document. */
export type ReadVolume = (subject: Subject, value: Pickled) => VolumeRef;

/** Creates a reader whose temporary volumes get identities such as `body:17` or `hook0:5`. */
export function createVolumeReader(document: string): ReadVolume {
  return (subject, value) => {
    if (!isInstance(value)) return rejectMessage(`${subject} has no volume.`);
    switch (transformName(value)) {
      case '_DefaultTemporaryVolume':
        return { kind: 'default' };
      case 'TemporaryVolume':
        return {
          kind: 'temporary',
          identity: `${document}:${value.id}`,
          ...readHostDirectory(subject, value),
          mode: readMode(subject, attribute(value, 'mode')),
        };
      case 'BindMountVolume':
        return {
          kind: 'bind',
          host: readAbsolutePath(subject, 'host path', attribute(value, '_host_path')),
          container: readAbsolutePath(subject, 'container path', attribute(value, '_container_path')),
          mode: readMode(subject, attribute(value, 'mode')),
        };
      default:
        return rejectMessage(
          `${subject} has a volume of class ${quoted(value.className)}, which is not supported.`,
        );
    }
  };
}

function readHostDirectory(
  subject: Subject,
  volume: PickledInstance,
): { hostDir: string | null; hostDirMode?: number } {
  const directory = attribute(volume, 'host_dir');
  if (directory === null) return { hostDir: null };
  const hostDir = readAbsolutePath(subject, 'host directory', directory);
  // the default of the Python class, which the message does not contain
  const mode = attribute(volume, '_mode') ?? 0o777;
  if (typeof mode !== 'number' || !Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    return rejectMessage(`${subject} has a host directory with an invalid mode.`);
  }
  return { hostDir, hostDirMode: mode };
}

/** Docker's mode: `ro` or `rw`, possibly with flags such as `z` that do not apply to Apptainer. */
function readMode(subject: Subject, value: Pickled): 'ro' | 'rw' {
  const parts = value === null ? ['rw'] : readText(subject, 'volume mode', value).split(',');
  if (parts.includes('ro')) return 'ro';
  return parts.includes('rw')
    ? 'rw'
    : rejectMessage(`${subject} has a volume mode that is neither ro nor rw.`);
}

/**
 * The task's parameter `volumes`: a list of volume objects, or docker-py's `{host: {bind, mode}}`, also with `ro: true`
 * instead of the mode, or with the container path alone.
 */
export function readVolumes(value: Pickled, readVolume: ReadVolume): VolumeRef[] {
  if (value === null) return [];
  const items = sequenceItems(value);
  if (items !== null) return items.map((item, index) => readVolume(`Volume ${index + 1}`, item));
  if (!isDict(value)) return rejectMessage('The volumes of the task are neither a list nor an object.');
  return Array.from(value, ([host, options], index) =>
    readDockerVolume(`Volume ${index + 1}`, host, options),
  );
}

function readDockerVolume(subject: Subject, host: string, options: Pickled): VolumeRef {
  const path = readAbsolutePath(subject, 'host path', host);
  if (!isDict(options)) {
    return {
      kind: 'bind',
      host: path,
      container: readAbsolutePath(subject, 'container path', options),
      mode: 'rw',
    };
  }
  const container = readAbsolutePath(subject, 'container path', options.get('bind') ?? null);
  const isReadOnly = options.get('ro') === true;
  return {
    kind: 'bind',
    host: path,
    container,
    mode: isReadOnly ? 'ro' : readMode(subject, options.get('mode') ?? null),
  };
}
