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
   * Not older than a few minutes, or the last ones for as long as Girder is silent; null where they are not to be had:
   * no API key, no address, or Girder refuses. Waits for a Girder that has never answered yet, for some minutes in all:
   * the profile's own settings are better than jobs that never start.
   * @throws the abort reason
   */
  current(signal: AbortSignal): Promise<GirderSlurmSettings | null>;
  /** Asks once, now: what Girder has, or had when it last answered; null if it never did. */
  refresh(): Promise<GirderSlurmSettings | null>;
  /** Why they are not as they should be; null if they are. A whole sentence. */
  problem(): string | null;
}

/** When they are read again, in milliseconds. */
const goodForMs = 5 * 60_000;
/** When Girder is asked again after trouble. */
const againMs = 30_000;
/** How long jobs wait for a Girder that has never answered. */
export const patienceMs = 5 * 60_000;

/** @param options.girder `apiKey` and `apiUrl` have to be there, or nothing is ever read */
export function createGirderSlurmLoader(
  options: Omit<GirderSetup, 'apiUrlMap'> & { girder: Settings['girder'] },
): GirderSlurmLoader {
  const { clock, log, girder } = options;
  const { apiKey, apiUrl } = girder;
  let last: { at: number; settings: GirderSlurmSettings } | null = null;
  let askAgainAt = 0;
  let silentSince: number | null = null;
  let trouble: string | null = null;
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

  /** The error that it ended with; null if it went well. */
  async function read(): Promise<GirderError | null> {
    try {
      const { settings, complaints } = readGirderSlurmSettings(await ask());
      last = { at: clock.monotonic(), settings };
      silentSince = null;
      tell(complaints.length === 0 ? null : complaints.join(' '));
      return null;
    } catch (error) {
      if (!(error instanceof GirderError)) throw error;
      askAgainAt = clock.monotonic() + againMs;
      silentSince ??= clock.monotonic();
      tell(`Girder's settings for Slurm cannot be read: ${error.message} ${consequence(error)}`);
      return error;
    }
  }

  function consequence(error: GirderError): string {
    if (last !== null) return 'The last ones that it gave are used.';
    return isWaitedFor(error) ? 'Jobs wait for them, for some minutes at most.' : "The profile's own count.";
  }

  function isWaitedFor(error: GirderError): boolean {
    return passes(error) && clock.monotonic() - (silentSince ?? clock.monotonic()) < patienceMs;
  }

  function tell(now: string | null): void {
    if (now !== null && now !== trouble) log.warn({ why: now }, "trouble with Girder's settings for Slurm");
    trouble = now;
  }

  async function readShared(): Promise<GirderError | null> {
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  }

  return {
    problem: () => trouble,
    async refresh() {
      if (apiKey !== null && apiUrl !== null) await readShared();
      return last?.settings ?? null;
    },
    async current(signal) {
      if (apiKey === null || apiUrl === null) return null;
      for (;;) {
        signal.throwIfAborted();
        if (last !== null && clock.monotonic() - last.at < goodForMs) return last.settings;
        if (clock.monotonic() >= askAgainAt) {
          const error = await readShared();
          if (error === null) continue;
          if (last === null && !isWaitedFor(error)) return null;
        }
        if (last !== null) return last.settings;
        if (silentSince !== null && clock.monotonic() - silentSince >= patienceMs) return null;
        await clock.sleep(Math.max(1_000, askAgainAt - clock.monotonic()), signal);
      }
    },
  };
}

/** Whether it is worth waiting: a refusal stays one until somebody changes a key. */
function passes({ kind }: GirderError): boolean {
  return kind === 'unreachable' || kind === 'busy' || kind === 'not-girder';
}
