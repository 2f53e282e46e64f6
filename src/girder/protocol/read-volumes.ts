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

/** Reads one volume. Readers differ in what a temporary volume's `py/id` can be compared with. */
export type ReadVolume = (place: Subject, value: Pickled) => VolumeRef;

/** Where the volumes of one document get their identity: `body:17`, `hook0:5`. */
export function createVolumeReader(document: string): ReadVolume {
  return (place, value) => {
    if (!isInstance(value)) return rejectMessage(`${place} names no volume.`);
    switch (transformName(value)) {
      case '_DefaultTemporaryVolume':
        return { kind: 'default' };
      case 'TemporaryVolume':
        return {
          kind: 'temporary',
          identity: `${document}:${value.id}`,
          ...readHostDirectory(place, value),
          mode: readMode(place, attribute(value, 'mode')),
        };
      case 'BindMountVolume':
        return {
          kind: 'bind',
          host: readAbsolutePath(place, 'host path', attribute(value, '_host_path')),
          container: readAbsolutePath(place, 'container path', attribute(value, '_container_path')),
          mode: readMode(place, attribute(value, 'mode')),
        };
      default:
        return rejectMessage(
          `${place} has a volume of class ${quoted(value.className)}, which is not known here.`,
        );
    }
  };
}

function readHostDirectory(
  place: Subject,
  volume: PickledInstance,
): { hostDir: string | null; hostDirMode?: number } {
  const directory = attribute(volume, 'host_dir');
  if (directory === null) return { hostDir: null };
  const hostDir = readAbsolutePath(place, 'host directory', directory);
  // Python's default, which its class has rather than the message
  const mode = attribute(volume, '_mode') ?? 0o777;
  if (typeof mode !== 'number' || !Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    return rejectMessage(`${place} has a host directory with a mode that is none.`);
  }
  return { hostDir, hostDirMode: mode };
}

/** Docker's mode: `ro` or `rw`, perhaps with labels such as `z` that mean nothing to Apptainer. */
function readMode(place: Subject, value: Pickled): 'ro' | 'rw' {
  const parts = value === null ? ['rw'] : readText(place, 'volume mode', value).split(',');
  if (parts.includes('ro')) return 'ro';
  return parts.includes('rw') ? 'rw' : rejectMessage(`${place} has a volume mode that is neither ro nor rw.`);
}

/**
 * The task's parameter `volumes`: a list of volume objects, or docker-py's `{host: {bind, mode}}`, also with `ro: true`
 * for the mode and with the container path alone.
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

function readDockerVolume(place: Subject, host: string, options: Pickled): VolumeRef {
  const path = readAbsolutePath(place, 'host path', host);
  if (!isDict(options)) {
    return {
      kind: 'bind',
      host: path,
      container: readAbsolutePath(place, 'container path', options),
      mode: 'rw',
    };
  }
  const container = readAbsolutePath(place, 'container path', options.get('bind') ?? null);
  const isReadOnly = options.get('ro') === true;
  return {
    kind: 'bind',
    host: path,
    container,
    mode: isReadOnly ? 'ro' : readMode(place, options.get('mode') ?? null),
  };
}
