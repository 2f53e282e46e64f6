import type { PickledInstance } from '../pickle/pickled.js';

const docker = 'girder_worker.docker.transforms';
const slicer = 'slicer_cli_web.girder_worker_plugin.direct_docker_run';
/** Girder 3 and Girder 5 keep the same classes in different packages. */
const utils = ['girder_worker_utils.transforms', 'girder_worker.utils.transforms'] as const;

const modules = {
  [docker]: [
    'BindMountVolume',
    'TemporaryVolume',
    '_DefaultTemporaryVolume',
    'VolumePath',
    'Connect',
    'NamedInputPipe',
    'NamedOutputPipe',
    'ChunkedTransferEncodingStream',
    'HostStdOut',
    'HostStdErr',
    'ContainerStdOut',
    'ContainerStdErr',
  ],
  [`${docker}.girder`]: [
    'GirderFileIdToVolume',
    'GirderFolderIdToVolume',
    'GirderItemIdToVolume',
    'GirderUploadVolumePathToFolder',
    'GirderUploadVolumePathToItem',
    'GirderUploadVolumePathJobArtifact',
    'GirderFileIdToStream',
    'ProgressPipe',
  ],
  [slicer]: ['DirectGirderFileIdToVolume', 'CommaJoinedVolumes', 'GirderApiUrl', 'GirderToken'],
} as const;

const utilsModules = {
  girder_io: [
    'GirderFileId',
    'GirderItemId',
    'GirderUploadToFolder',
    'GirderUploadToItem',
    'GirderUploadJobArtifact',
    'GirderItemMetadata',
  ],
  'contrib.girder_io': ['GirderFileIdAllowDirect'],
  common: ['TemporaryDirectory'],
} as const;

/** A transform's class without its module; no two known classes share a name. */
type TransformName =
  | (typeof modules)[keyof typeof modules][number]
  | (typeof utilsModules)[keyof typeof utilsModules][number];

const transforms: ReadonlyMap<string, TransformName> = new Map([
  ...Object.entries(modules).flatMap(([module, names]) => qualified(module, names)),
  ...utils.flatMap((front) =>
    Object.entries(utilsModules).flatMap(([module, names]) => qualified(`${front}.${module}`, names)),
  ),
]);

function qualified(module: string, names: readonly TransformName[]): [string, TransformName][] {
  return names.map((name) => [`${module}.${name}`, name]);
}

/** Every supported class. */
export const transformNames: ReadonlySet<TransformName> = new Set(transforms.values());

/** The transform that an object represents; null if its class is not supported. */
export function transformName(instance: PickledInstance): TransformName | null {
  return transforms.get(instance.className) ?? null;
}

export const girderClientClass = 'girder_client.GirderClient';
