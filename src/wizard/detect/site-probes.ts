import type { GirderClient } from '../../girder/api/client.js';
import type { Draft } from '../init-answers.js';

/**
 * Access to the services and directories of a site, for validating answers. Passed in, so that questions can be tested
 * without a site. All functions throw DsaSlurmErrors, whose messages are shown to the operator.
 */
export interface SiteProbes {
  /** Whether something accepts connections there, within a second. */
  listens(host: string, port: number): Promise<boolean>;
  broker: {
    /**
     * Logs in; the version of RabbitMQ.
     * @param caFile setting `broker.caFile`, here and below
     */
    check(url: string, caFile: string | null): Promise<{ version: string }>;
    /** Why the certificate of an `amqps://` address is not trusted; null if it is. */
    untrusted(url: string, caFile: string | null): Promise<string | null>;
    /** The address at which other machines can reach this port; null if they cannot. */
    openAddress(host: string, port: number): Promise<string | null>;
  };
  girder: {
    /** @param caFile setting `girder.caFile`, here and below */
    version(apiUrl: string, caFile: string | null): Promise<{ version: string; major: 3 | 5 }>;
    /** Exchanges an API key for a token. */
    login(
      apiUrl: string,
      apiKey: string,
      caFile: string | null,
    ): Promise<{ token: string; login: string; isAdmin: boolean }>;
    /** Uses a client with this token. Requests are not retried. */
    as<T>(
      access: { apiUrl: string; token: string | null; caFile: string | null },
      use: (client: GirderClient) => Promise<T>,
    ): Promise<T>;
  };
  mongo: {
    /** Logs in if the address contains a user. `open`: no login is required. */
    ping(uri: string): Promise<{ version: string; open: boolean; hasGirder: boolean }>;
  };
  slurm: {
    /** Runs `sbatch --test-only`. @returns null, or Slurm's error message */
    test(wanted: NonNullable<Draft['slurm']>): Promise<string | null>;
  };
  directories: {
    inspect(path: string): Promise<DirectoryFacts>;
    /** Creates it and missing parents, without access for others. */
    create(path: string): Promise<void>;
  };
  /** Version of this container runtime; null if the command does not work. */
  apptainer(command: string): Promise<string | null>;
}

/** Facts about a path that should be a directory. */
export interface DirectoryFacts {
  state:
    | { kind: 'directory'; writable: boolean; worldWritable: boolean }
    /** Does not exist. `above`: the nearest existing parent; `why`: why it cannot be created there, else null. */
    | { kind: 'missing'; above: string; why: string | null }
    | { kind: 'other' }
    /** Cannot be accessed. */
    | { kind: 'closed'; why: string };
  /** Of the directory, or of its nearest existing parent. */
  fileSystem: { type: string; mountPoint: string; reach: 'shared' | 'local' | 'unknown' } | null;
  freeBytes: number | null;
}
