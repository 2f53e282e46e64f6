import { found, missing } from '../../../src/wizard/detect/found.js';
import type { Detection } from '../../../src/wizard/detect/detect.js';
import type { DirectoryFacts, SiteProbes } from '../../../src/wizard/detect/site-probes.js';

/** A detection in which only `over` was found. */
export function detection(over: Partial<Detection> = {}): Detection {
  const none = missing('not looked for');
  return {
    user: { uid: 1000, gid: 1000 },
    slurm: none,
    association: none,
    gpus: none,
    apptainer: found({ command: 'apptainer', version: '1.3.4' }),
    directories: none,
    rabbitmq: none,
    mongo: none,
    girder: none,
    systemd: none,
    ...over,
  };
}

export const cluster = found({
  version: '24.11.1',
  cluster: 'hpc',
  minJobAge: 300,
  accounting: true,
  enforced: ['associations', 'limits', 'qos'],
  privateData: [],
  rateLimit: null,
  partitions: [
    { name: 'long', isDefault: false, up: true, timeLimit: 604_800, nodes: 4 },
    { name: 'main', isDefault: true, up: true, timeLimit: 86_400, nodes: 4 },
    { name: 'old', isDefault: false, up: false, timeLimit: null, nodes: 1 },
  ],
});

export const goodDirectory: DirectoryFacts = {
  state: { kind: 'directory', writable: true, worldWritable: false },
  fileSystem: { type: 'nfs4', mountPoint: '/shared', reach: 'shared' },
  freeBytes: 1e12,
};

/** Probes of a site without problems. */
export function openSite(over: Partial<SiteProbes> = {}): SiteProbes {
  return {
    listens: () => Promise.resolve(true),
    broker: {
      check: () => Promise.resolve({ version: '3.13.7' }),
      untrusted: () => Promise.resolve(null),
      openAddress: () => Promise.resolve(null),
    },
    girder: {
      version: () => Promise.resolve({ version: '5.0.1', major: 5 }),
      login: () => Promise.resolve({ token: 't', login: 'admin', isAdmin: true }),
      as: () => Promise.reject(new Error('this Girder must not be asked')),
    },
    mongo: { ping: () => Promise.resolve({ version: '7.0', open: false, hasGirder: true }) },
    slurm: { test: () => Promise.resolve(null) },
    directories: {
      inspect: (path) =>
        Promise.resolve(
          path.endsWith('.slurm') ? { ...goodDirectory, state: { kind: 'other' } } : goodDirectory,
        ),
      create: () => Promise.resolve(),
    },
    apptainer: () => Promise.resolve('1.3.4'),
    ...over,
  };
}
