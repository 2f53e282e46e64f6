/** Builds jsonpickle's JSON for transforms. */

export const id = 'fafafafafafafafafa000063';
export const token = 'T'.repeat(64);
export const access = { apiUrl: 'http://girder.example:8080/api/v1', token };

export type Json = Record<string, unknown>;

const docker = 'girder_worker.docker.transforms';

export const gc = (changes: Json = {}): Json => ({
  'py/object': 'girder_client.GirderClient',
  urlBase: `${access.apiUrl}/`,
  token,
  ...changes,
});
export const object = (name: string, attributes: Json = {}): Json => ({ 'py/object': name, ...attributes });
export const transform = (name: string, attributes: Json = {}) => object(`${docker}.${name}`, attributes);
export const girder = (name: string, attributes: Json = {}) =>
  transform(`girder.${name}`, { gc: gc(), ...attributes });
export const slicer = (name: string, attributes: Json = {}) =>
  object(`slicer_cli_web.girder_worker_plugin.direct_docker_run.${name}`, { gc: gc(), ...attributes });
export const defaultVolume = () => transform('_DefaultTemporaryVolume', { mode: 'rw', host_dir: null });
export const temporaryVolume = (hostDir: string | null = null, changes: Json = {}) =>
  transform('TemporaryVolume', { mode: 'rw', host_dir: hostDir, ...changes });
export const bindVolume = (mode: unknown = 'ro') =>
  transform('BindMountVolume', { _host_path: '/data', _container_path: '/mnt/data', mode });
export const volumePath = (filename: unknown, volume: unknown = defaultVolume()) =>
  transform('VolumePath', { filename, _volume: volume });
export const file = (changes: Json = {}) =>
  girder('GirderFileIdToVolume', {
    _file_id: id,
    _volume: defaultVolume(),
    _filename: 'a b.svs',
    _file_path: null,
    ...changes,
  });
export const uploadToFolder = (changes: Json = {}) =>
  girder('GirderUploadVolumePathToFolder', {
    folder_id: id,
    upload_kwargs: { reference: 'r' },
    delete_file: false,
    must_exist: true,
    _volumepath: volumePath('out.csv'),
    job: null,
    ...changes,
  });

export const slicerTask = 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run';
export const dockerTask = 'girder_worker.docker.tasks.docker_run';

export interface TaskParts {
  name?: string;
  args?: unknown[];
  kwargs?: Json;
  embed?: Json;
  hooks?: unknown;
}

/** A task message with these parts; it has an image unless `kwargs` or `args` contains one. */
export function taskOf({ name = slicerTask, args = [], kwargs = {}, embed = {}, hooks }: TaskParts) {
  const image = args.length > 0 ? {} : { image: 'example/small:v1' };
  return {
    name,
    headers: hooks === undefined ? {} : { girder_result_hooks: JSON.parse(JSON.stringify(hooks)) as unknown },
    body: JSON.stringify({ 'py/tuple': [{ 'py/tuple': args }, { ...image, ...kwargs }, embed] }),
  };
}
