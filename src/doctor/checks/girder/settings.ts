import * as z from 'zod';
import { maskUrl } from '../../../base/text/redact.js';
import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import type { Settings } from '../../../config/index.js';
import { GirderError } from '../../../girder/api/girder-error.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { combine, fail, ok, skip, warn } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';
import type { GirderAdmin } from './token.js';

/** Girder's settings for the worker. Girder 5 has broker and backend in its environment. */
export interface GirderSettings {
  'worker.broker'?: string | null | undefined;
  'worker.backend'?: string | null | undefined;
  'worker.api_url'?: string | null | undefined;
  'worker.direct_path'?: boolean | null | undefined;
}

export const settingKeys = {
  3: ['worker.broker', 'worker.backend', 'worker.api_url', 'worker.direct_path'],
  5: ['worker.api_url', 'worker.direct_path'],
} as const;

/** A change of Girder's settings. `value` may contain a password. */
export interface SettingChange {
  key: keyof GirderSettings;
  value: string;
}

/** Compares Girder's settings with this worker's needs, and lists the changes that would fix them. */
export function judgeSettings(
  theirs: GirderSettings,
  ours: Pick<Settings, 'broker' | 'girder'>,
  { major, profile }: { major: number; profile: string },
): { finding: Finding; changes: SettingChange[] } {
  const findings: Finding[] = [];
  const changes: SettingChange[] = [];
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  const fix = `dsa-slurm${named} doctor --fix --only girder.settings`;
  if (major === 3) {
    const broker = judgeBroker(theirs['worker.broker'], ours.broker.url);
    findings.push(
      broker === null ? ok('worker.broker matches broker.url') : fail(`worker.broker: ${broker.why}`, fix),
    );
    if (broker !== null) changes.push({ key: 'worker.broker', value: broker.value });
    const backend = theirs['worker.backend'] ?? '';
    if (backend.startsWith('rpc:')) findings.push(ok('worker.backend uses the broker'));
    else {
      const value = (changes[0]?.value ?? theirs['worker.broker'] ?? ours.broker.url).replace(
        /^amqps?:/,
        'rpc:',
      );
      findings.push(warn('worker.backend is not an rpc:// address: Girder will not read results.', fix));
      changes.push({ key: 'worker.backend', value });
    }
  } else {
    findings.push(ok('Girder 5 has its broker in GIRDER_WORKER_BROKER, which cannot be checked from here'));
  }
  const apiUrl = theirs['worker.api_url'] ?? '';
  if (apiUrl === '') {
    findings.push(warn("worker.api_url is not set: tasks have the address of the user's browser.", fix));
    if (ours.girder.apiUrl !== null) changes.push({ key: 'worker.api_url', value: ours.girder.apiUrl });
  } else findings.push(ok(`worker.api_url is ${apiUrl}`));
  if (ours.girder.directPaths && theirs['worker.direct_path'] !== true) {
    findings.push(warn('girder.directPaths is on, but worker.direct_path is off in Girder.', fix));
    changes.push({ key: 'worker.direct_path', value: 'true' });
  }
  return { finding: combine(findings), changes };
}

/** User, password and virtual host must match; the host may differ inside and outside of containers. */
function judgeBroker(theirs: string | null | undefined, ours: string): { why: string; value: string } | null {
  const own = readBrokerUrl(ours);
  if (theirs === null || theirs === undefined || theirs === '') {
    return { why: 'it is not set, so Girder uses guest@localhost.', value: ours };
  }
  let read;
  try {
    read = readBrokerUrl(theirs);
  } catch {
    return { why: 'it is not an AMQP URL.', value: ours };
  }
  const wrong = [
    ...(read.user === own.user ? [] : [`user "${read.user}" there, "${own.user}" here`]),
    ...(read.connect.password === own.connect.password ? [] : ['a different password']),
    ...(read.virtualHost === own.virtualHost
      ? []
      : [`virtual host "${read.virtualHost}" there, "${own.virtualHost}" here`]),
  ];
  if (wrong.length === 0) return null;
  const url = new URL(ours);
  // keep the host: it is how Girder reaches the broker
  const value = `${url.protocol}//${url.username}:${url.password}@${new URL(theirs).host}${url.pathname}`;
  return { why: `${wrong.join('; ')}.`, value };
}

const answer = z.object({
  'worker.broker': z.string().nullish(),
  'worker.backend': z.string().nullish(),
  'worker.api_url': z.string().nullish(),
  'worker.direct_path': z.boolean().nullish(),
});

/** Facts for other checks and for `repairs`. */
export interface SettingsFacts {
  theirs: GirderSettings;
  changes: SettingChange[];
  admin: GirderAdmin;
}

export const settings: Check<'girder.settings'> = {
  id: 'girder.settings',
  group: 'girder',
  title: "Girder's settings for the worker",
  needs: ['girder.token'],
  async run(context) {
    const admin = context.needed('girder.token');
    if (!admin.isAdmin) return skip('the API key does not belong to an administrator');
    const keys = settingKeys[admin.major === 5 ? 5 : 3];
    let theirs: GirderSettings;
    try {
      theirs = await withGirder(context, admin, async (client) =>
        client.json(answer, {
          method: 'GET',
          path: 'system/setting',
          query: { list: JSON.stringify(keys) },
          attempts: 1,
          signal: context.signal,
        }),
      );
    } catch (thrown) {
      if (!(thrown instanceof GirderError)) throw thrown;
      // the worker itself does not need these settings
      return warn(thrown.message, 'Check that the plugin "worker" is installed in Girder.');
    }
    const { finding, changes } = judgeSettings(theirs, context.settings, {
      major: admin.major,
      profile: context.profile,
    });
    return { ...finding, fact: { theirs, changes, admin } satisfies SettingsFacts };
  },
  repairs(context, fact) {
    if (fact === undefined) return [];
    const { changes, admin } = fact;
    return changes.map(({ key, value }) => ({
      what: `set ${key} in Girder to ${key === 'worker.broker' || key === 'worker.backend' ? maskUrl(value) : value}`,
      apply: async () => setSetting(context, admin, { key, value }),
    }));
  },
};

/** Changes a setting through Girder's REST API. @throws GirderError */
export async function setSetting(
  context: Pick<CheckContext, 'settings' | 'clock'>,
  admin: Pick<GirderAdmin, 'apiUrl' | 'token'>,
  { key, value }: SettingChange,
): Promise<void> {
  await withGirder(context, admin, async (client) =>
    client.json(z.unknown(), { method: 'PUT', path: 'system/setting', form: { key, value }, attempts: 1 }),
  );
}
