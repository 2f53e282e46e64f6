import { dirname } from 'node:path';
import { join } from 'node:path';
import { describeFailure } from '../../../src/base/command.js';
import { installPython, type GirderInstallOptions } from '../../../src/sandbox/real-girder/install.js';
import type { RigImage } from '../../girder/support/image.js';

/**
 * Girder's plugins for slides and annotations, with a tile source that needs no system libraries, and HistomicsUI, which
 * hands `.anot` files to the plugin for annotations. Its only release for Girder 5 is pinned to older plugins. These are the
 * releases with which the tests passed; docs/compatibility.md names them, too.
 */
export const girderPlugins = {
  plugins: [
    'girder-large-image==1.35.6a198',
    'girder-large-image-annotation==1.35.6a198',
    'large-image==1.35.6a198',
    'large-image-source-tifffile==1.35.6a198',
    'cachetools',
    'orjson',
    // HistomicsUI imports pkg_resources
    'setuptools<81',
  ],
  pluginsAlone: ['histomicsui==2.0.0a2'],
};

/**
 * What HistomicsTK's CLIs import. HistomicsTK itself asks for all tile sources of large_image, and one of them wants the
 * libraries of GDAL.
 */
const dependencies = [
  'ctk-cli',
  'dask[dataframe]<2024.11.0',
  'distributed',
  'girder-client',
  'girder-slicer-cli-web==5.0.21',
  'imageio',
  'large-image==1.35.6',
  'large-image-source-tifffile==1.35.6',
  'matplotlib',
  'nimfa',
  'numpy',
  'opencv-python-headless',
  'pandas',
  'Pillow',
  'pyvips',
  'scikit-image',
  'scikit-learn',
  'scipy',
  'shapely',
  'sqlalchemy',
];

/** HistomicsTK from PyPI in a virtual environment of its own. */
export interface HistomicsTk {
  python: string;
  /** The directory of its CLIs. */
  clis: string;
  /** What a container needs of this machine to run it. */
  directories: string[];
}

/** @throws DsaSlurmError `sandbox` if Python is missing or pip fails */
export async function installHistomicsTk(options: GirderInstallOptions): Promise<HistomicsTk> {
  const python = await installPython('histomicstk', dependencies, options, ['histomicstk==1.4.0']);
  const script =
    'import importlib.util as u, json, sys; print(json.dumps([sys.prefix, sys.base_prefix, u.find_spec("histomicstk").origin]))';
  const answer = await options.run(python, ['-c', script]);
  if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(describeFailure(answer));
  const [venv = '', base = '', module = ''] = JSON.parse(answer.stdout) as string[];
  // The system's Python is in /usr, which the fake Apptainer mounts anyway.
  const directories = base.startsWith('/usr') ? [venv] : [venv, base];
  return { python, clis: join(dirname(module), 'cli'), directories };
}

/** HistomicsTK as in its image on Docker Hub: same entry point, same CLIs. */
export function histomicsTkImage({ python, clis }: HistomicsTk): RigImage {
  return {
    name: 'dsarchive/histomicstk:latest',
    async content() {
      const base = '/opt/histomicstk';
      return {
        labels: { 'org.opencontainers.image.title': 'HistomicsTK' },
        config: {
          WorkingDir: base,
          Entrypoint: ['/bin/bash', 'docker-entrypoint.sh'],
          Env: [`PATH=${dirname(python)}:/usr/bin:/bin`],
        },
        files: {
          // its CLIs are in a directory of this machine, which only a run with the operator's options sees
          [`${base}/docker-entrypoint.sh`]: {
            text: `cd '${clis}' && exec bash ./docker-entrypoint.sh "$@"\n`,
            executable: true,
          },
        },
      };
    },
  };
}
