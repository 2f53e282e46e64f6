import type { GirderClient } from '../../girder/api/client.js';
import type { Draft } from '../init-answers.js';

/**
 * Everything that the wizard reaches outside of itself to look at answers, passed in so that questions can be tested
 * without a site. Each function throws a DsaSlurmError whose sentence and next step are shown as they are.
 */
export interface Doors {
  /** Whether something takes connections there, within a second. */
  listens(host: string, port: number): Promise<boolean>;
  broker: {
    /**
     * Logs in; the version of RabbitMQ.
     * @param caFile setting `broker.caFile`, here and below
     */
    check(url: string, caFile: string | null): Promise<{ version: string }>;
    /** Why the certificate of an `amqps://` address is not trusted; null if it is. */
    untrusted(url: string, caFile: string | null): Promise<string | null>;
    /** The address under which other machines reach this broker; null if it is closed to them. */
    openAddress(host: string, port: number): Promise<string | null>;
  };
  girder: {
    /** @param caFile setting `girder.caFile`, here and below */
    version(apiUrl: string, caFile: string | null): Promise<{ version: string; major: 3 | 5 }>;
    /** Trades an API key for a token; whose it is. */
    login(
      apiUrl: string,
      apiKey: string,
      caFile: string | null,
    ): Promise<{ token: string; login: string; isAdmin: boolean }>;
    /** Asks as whoever has the token; each request is made once. */
    as<T>(
      access: { apiUrl: string; token: string | null; caFile: string | null },
      use: (client: GirderClient) => Promise<T>,
    ): Promise<T>;
  };
  mongo: {
    /** Logs in if the address says so. `open`: it lets anybody in. */
    ping(uri: string): Promise<{ version: string; open: boolean; hasGirder: boolean }>;
  };
  slurm: {
    /** `sbatch --test-only`: null, or what Slurm said against it. */
    test(wanted: NonNullable<Draft['slurm']>): Promise<string | null>;
  };
  directories: {
    look(path: string): Promise<DirectoryFacts>;
    /** Makes it and what is missing above it, closed to others. */
    make(path: string): Promise<void>;
  };
  /** Whether this command answers like a container runtime, and its version. */
  apptainer(command: string): Promise<string | null>;
}

/** What is known of a path that should be a shared directory. */
export interface DirectoryFacts {
  state:
    | { kind: 'directory'; writable: boolean; worldWritable: boolean }
    /** Not there; `above` is the nearest directory that is, `why` tells why it cannot be made there. */
    | { kind: 'missing'; above: string; why: string | null }
    | { kind: 'other' }
    /** Cannot be looked at. */
    | { kind: 'closed'; why: string };
  /** Of the directory, or of where it would be made. */
  fileSystem: { type: string; mountPoint: string; reach: 'shared' | 'local' | 'unknown' } | null;
  freeBytes: number | null;
}
