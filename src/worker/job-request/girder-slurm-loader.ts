import * as z from 'zod';

import type { Settings } from '../../config/schema.js';
import type { GirderSetup } from '../../girder/api/client.js';
import { GirderError } from '../../girder/api/girder-error.js';
import { createAdminClient } from '../../girder/api/admin-client.js';
import {
  girderSlurmKeys,
  readGirderSlurmSettings,
  type GirderSlurmSettings,
} from './girder-slurm-settings.js';

/** Girder's settings for Slurm, as last read. */
export interface GirderSlurmLoader {
  /**
   * At most a few minutes old, or the last known ones while Girder does not answer. Null if they are unavailable: no API
   * key, no URL, or Girder refuses. If Girder has never answered, waits a few minutes in total: running with the
   * profile's settings is better than never starting.
   * @throws the abort reason
   */
  current(signal: AbortSignal): Promise<GirderSlurmSettings | null>;
  /** Queries Girder once. Returns the last known settings, null if Girder has never answered. */
  refresh(): Promise<GirderSlurmSettings | null>;
  /** What is wrong with the settings or with reading them, as a full sentence; null if nothing is. */
  problem(): string | null;
}

/** How long settings stay valid, in milliseconds. */
const maxAgeMs = 5 * 60_000;
/** Time before Girder is queried again after an error. */
const retryMs = 30_000;
/** How long jobs wait for a Girder that has never answered. */
export const loadPatienceMs = 5 * 60_000;

/** @param options.girder nothing is read unless `apiKey` and `apiUrl` are set */
export function createGirderSlurmLoader(
  options: Omit<GirderSetup, 'apiUrlMap'> & { girder: Settings['girder'] },
): GirderSlurmLoader {
  const { clock, log, girder } = options;
  const { apiKey, apiUrl } = girder;
  let last: { at: number; settings: GirderSlurmSettings } | null = null;
  let retryAt = 0;
  let failingSince: number | null = null;
  let problem: string | null = null;
  let client: ReturnType<typeof createAdminClient> | null = null;
  let reading: Promise<GirderError | null> | null = null;

  async function ask(): Promise<Record<string, unknown>> {
    client ??= createAdminClient({
      ...options,
      apiUrl: apiUrl ?? '',
      apiKey: apiKey ?? '',
      apiUrlMap: girder.apiUrlMap,
    });
    return client.json(z.record(z.string(), z.unknown()), {
      method: 'GET',
      path: 'system/setting',
      query: { list: JSON.stringify(girderSlurmKeys) },
    });
  }

  /** Returns the error; null on success. */
  async function read(): Promise<GirderError | null> {
    try {
      const { settings, problems } = readGirderSlurmSettings(await ask());
      last = { at: clock.monotonic(), settings };
      failingSince = null;
      setProblem(problems.length === 0 ? null : problems.join(' '));
      return null;
    } catch (error) {
      if (!(error instanceof GirderError)) throw error;
      retryAt = clock.monotonic() + retryMs;
      failingSince ??= clock.monotonic();
      setProblem(`Girder's settings for Slurm cannot be read: ${error.message} ${consequence(error)}`);
      return error;
    }
  }

  function consequence(error: GirderError): string {
    if (last !== null) return 'The last known ones are used.';
    return isWorthWaiting(error)
      ? 'Jobs wait for them for a few minutes.'
      : "The profile's own settings are used.";
  }

  function isWorthWaiting(error: GirderError): boolean {
    return isTemporary(error) && clock.monotonic() - (failingSince ?? clock.monotonic()) < loadPatienceMs;
  }

  function setProblem(now: string | null): void {
    if (now !== null && now !== problem) log.warn({ why: now }, "problem with Girder's settings for Slurm");
    problem = now;
  }

  async function readShared(): Promise<GirderError | null> {
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  }

  return {
    problem: () => problem,
    async refresh() {
      if (apiKey !== null && apiUrl !== null) await readShared();
      return last?.settings ?? null;
    },
    async current(signal) {
      if (apiKey === null || apiUrl === null) return null;
      for (;;) {
        signal.throwIfAborted();
        if (last !== null && clock.monotonic() - last.at < maxAgeMs) return last.settings;
        if (clock.monotonic() >= retryAt) {
          const error = await readShared();
          if (error === null) continue;
          if (last === null && !isWorthWaiting(error)) return null;
        }
        if (last !== null) return last.settings;
        if (failingSince !== null && clock.monotonic() - failingSince >= loadPatienceMs) return null;
        await clock.sleep(Math.max(1_000, retryAt - clock.monotonic()), signal);
      }
    },
  };
}

/** A refusal, in contrast, lasts until an administrator changes the key. */
function isTemporary({ kind }: GirderError): boolean {
  return kind === 'unreachable' || kind === 'busy' || kind === 'not-girder';
}
