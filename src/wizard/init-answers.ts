import type { Settings } from '../config/index.js';

/** The settings of a group that one answer can hold. */
type ScalarSettings<Group> = {
  [Name in keyof Group as Group[Name] extends string | number | boolean | null ? Name : never]?:
    | Group[Name]
    | null;
};

/**
 * What `init` has to know of a site. One object from which every file is made: same answers, same files, byte for byte.
 * Secrets are in it; where it is shown or printed they are masked (see `secretAnswers`).
 */
export interface SiteAnswers {
  profile: string;
  worker: {
    /** Who runs the jobs: Slurm, or this host itself. */
    executor: 'slurm' | 'local';
    /** Jobs that run at one time where this host runs them; null: as the setting's default says. */
    localJobs: number | null;
  };
  dirs: {
    /** Absolute paths; login and compute nodes share them where Slurm runs the jobs. */
    tmp: string;
    logs: string;
    images: string;
    /** Where the submit script is written, shared as well. */
    submitScript: string;
  };
  /** Null or missing: the default of the setting. */
  slurm: ScalarSettings<Settings['slurm']>;
  apptainer: { command: string };
  broker: {
    /** As this worker reaches RabbitMQ. */
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
    /** As this worker reaches Girder: `http://localhost:8080/api/v1`. */
    apiUrl: string;
    /** For checking and setting Girder's settings; null if that is not wanted. */
    apiKey: string | null;
    /** Certificate of the authority of its https address; null: a public one. */
    caFile: string | null;
    major: 3 | 5;
    /** Read inputs from Girder's own path where it is readable here. Not answered: no. */
    directPaths?: boolean;
  };
  mongo: {
    /** `mongodb://localhost:27017/girder`; null where this host cannot reach it. */
    uri: string | null;
  };
  /** Files for a site that also runs the DSA; null: only the worker's own. */
  deployment: {
    /** `forked`: Girder with the Slurm forks and Apptainer inside; `stock`: an unmodified DSA image. */
    flavour: 'forked' | 'stock';
    /** Directory that the files are written to. */
    directory: string;
    /** Port of Girder on the host. */
    girderPort: number;
    assetstore: string;
    /** `uid:gid` that the containers run as. */
    user: string;
    adminPassword: string;
  } | null;
  /** How the worker is kept running. */
  service: 'systemd' | 'script';
}

/** Paths of answers that are secrets. */
export const secretAnswers = [
  'broker.password',
  'girder.apiKey',
  'mongo.uri',
  'deployment.adminPassword',
] as const;

/** One file that init writes. */
export interface PlannedFile {
  /** Absolute. */
  path: string;
  /** Octal permission bits. */
  mode: number;
  content: string;
  /** One sentence for the list. */
  purpose: string;
  /** The content keeps what the file holds beyond the answers: writing it undoes nothing that was done by hand. */
  merged?: true;
}

/** Any part of something: what is not there has not been answered. Null stays what it means: none. */
export type DeepPartial<T> = T extends object ? { [K in keyof T]?: DeepPartial<T[K]> } : T;

/** Answers on their way. `base` is a help for the wizard alone: the directory below which the others are proposed. */
export type Draft = DeepPartial<SiteAnswers> & { base?: string | null };
