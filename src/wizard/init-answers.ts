import type { Settings } from '../config/index.js';

/** The settings of a group that one answer can hold. */
type ScalarSettings<Group> = {
  [Name in keyof Group as Group[Name] extends string | number | boolean | null ? Name : never]?:
    | Group[Name]
    | null;
};

/**
 * Complete answers about a site, from which all files are generated. Contains secrets (see `secretAnswers`), which are masked
 * wherever answers are printed.
 */
export interface InitAnswers {
  profile: string;
  worker: {
    /** Where jobs run: on Slurm or on this host. */
    executor: 'slurm' | 'local';
    /** Concurrent jobs on this host; null: the setting's default. */
    localJobs: number | null;
  };
  dirs: {
    /** Absolute paths, shared with the compute nodes if Slurm runs the jobs. */
    tmp: string;
    logs: string;
    images: string;
    /** Path of the submit script, also shared. */
    submitScript: string;
  };
  /** Null or missing: the default of the setting. */
  slurm: ScalarSettings<Settings['slurm']>;
  apptainer: { command: string };
  broker: {
    /** As seen from this worker. */
    host: string;
    port: number;
    vhost: string;
    user: string;
    password: string;
    tls: boolean;
    /** Certificate of the authority behind its own, for TLS; null: a public one. */
    caFile?: string | null;
  };
  girder: {
    /** As seen from this worker: `http://localhost:8080/api/v1`. */
    apiUrl: string;
    /** For reading and changing Girder's settings; null: neither. */
    apiKey: string | null;
    /** CA certificate for an https address; null: public CAs. */
    caFile: string | null;
    major: 3 | 5;
    /** Read inputs directly from Girder's path. Default: no. */
    directPaths?: boolean;
  };
  mongo: {
    /** `mongodb://localhost:27017/girder`; null if this host cannot reach it. */
    uri: string | null;
  };
  /** For files that run the DSA; null: only the worker's files. */
  deployment: {
    /** `forked`: Girder with the Slurm forks and Apptainer; `stock`: an unmodified DSA image. */
    flavour: 'forked' | 'stock';
    /** Directory of the files. */
    directory: string;
    /** Port of Girder on the host. */
    girderPort: number;
    assetstore: string;
    /** `uid:gid` that the containers run as. */
    user: string;
    adminPassword: string;
  } | null;
  /** How the worker is started. */
  service: 'systemd' | 'system' | 'script';
  /** Values of settings without a question, by key, which come from an existing site. */
  settings?: Readonly<Record<string, unknown>>;
}

/** Keys of answers that are secrets. */
export const secretAnswers = [
  'broker.password',
  'girder.apiKey',
  'mongo.uri',
  'deployment.adminPassword',
] as const;

/** A file that init will write. */
export interface PlannedFile {
  /** Absolute. */
  path: string;
  /** Octal permission bits. */
  mode: number;
  content: string;
  /** One sentence about the file, for the operator. */
  purpose: string;
  /** The content preserves manual changes to the file, so that it can be overwritten without asking. */
  merged?: true;
}

/** Recursively optional: a missing answer has not been given yet. Null still means none. */
type DeepPartial<T> = T extends object ? { [K in keyof T]?: DeepPartial<T[K]> } : T;

/** Incomplete answers. `base`, used only by the wizard, is the directory below which others are proposed. */
export type Draft = DeepPartial<Omit<InitAnswers, 'settings'>> & { base?: string | null };
