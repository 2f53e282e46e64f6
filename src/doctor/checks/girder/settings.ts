import * as z from 'zod';
import { maskUrl } from '../../../base/redact.js';
import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import type { Settings } from '../../../config/index.js';
import { GirderError } from '../../../girder/api/girder-error.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { combine, fail, ok, skip, warn } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';
import type { GirderAdmin } from './token.js';

/** The worker's settings as Girder has them (contract, section k). Girder 5 has broker and backend in its environment. */
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

/** A change that would make Girder agree. `value` may hold a password. */
export interface SettingChange {
  key: keyof GirderSettings;
  value: string;
}

/** What differs between Girder's settings and what this worker needs, and the changes that would mend it. Pure. */
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
    findings.push(broker === null ? ok('worker.broker agrees') : fail(`worker.broker: ${broker.why}`, fix));
    if (broker !== null) changes.push({ key: 'worker.broker', value: broker.value });
    const backend = theirs['worker.backend'] ?? '';
    if (backend.startsWith('rpc:')) findings.push(ok('worker.backend goes through the broker'));
    else {
      const value = (changes[0]?.value ?? theirs['worker.broker'] ?? ours.broker.url).replace(
        /^amqps?:/,
        'rpc:',
      );
      findings.push(warn('worker.backend is no rpc:// address: results will not be read.', fix));
      changes.push({ key: 'worker.backend', value });
    }
  } else {
    findings.push(ok('Girder 5 has its broker in GIRDER_WORKER_BROKER, which cannot be seen from here'));
  }
  const apiUrl = theirs['worker.api_url'] ?? '';
  if (apiUrl === '') {
    findings.push(warn('worker.api_url is not set: tasks carry whatever address a user’s browser had.', fix));
    if (ours.girder.apiUrl !== null) changes.push({ key: 'worker.api_url', value: ours.girder.apiUrl });
  } else findings.push(ok(`worker.api_url is ${apiUrl}`));
  if (ours.girder.directPaths && theirs['worker.direct_path'] !== true) {
    findings.push(warn('girder.directPaths is on here, and worker.direct_path is off in Girder.', fix));
    changes.push({ key: 'worker.direct_path', value: 'true' });
  }
  return { finding: combine(findings), changes };
}

/** User, password and virtual host must be the same; the host is another one inside and outside of containers. */
function judgeBroker(theirs: string | null | undefined, ours: string): { why: string; value: string } | null {
  const own = readBrokerUrl(ours);
  if (theirs === null || theirs === undefined || theirs === '') {
    return { why: 'it is not set, so tasks go to guest@localhost.', value: ours };
  }
  let read;
  try {
    read = readBrokerUrl(theirs);
  } catch {
    return { why: 'it is no address of RabbitMQ.', value: ours };
  }
  const wrong = [
    ...(read.user === own.user ? [] : [`user "${read.user}" there, "${own.user}" here`]),
    ...(read.connect.password === own.connect.password ? [] : ['another password']),
    ...(read.virtualHost === own.virtualHost
      ? []
      : [`virtual host "${read.virtualHost}" there, "${own.virtualHost}" here`]),
  ];
  if (wrong.length === 0) return null;
  const url = new URL(ours);
  // their host stays: it is how Girder reaches the broker
  const value = `${url.protocol}//${url.username}:${url.password}@${new URL(theirs).host}${url.pathname}`;
  return { why: `${wrong.join('; ')}.`, value };
}

const answer = z.object({
  'worker.broker': z.string().nullish(),
  'worker.backend': z.string().nullish(),
  'worker.api_url': z.string().nullish(),
  'worker.direct_path': z.boolean().nullish(),
});

/** What the check hands on. */
export interface SettingsFacts {
  theirs: GirderSettings;
  changes: SettingChange[];
  admin: GirderAdmin;
}

export const settings: Check = {
  id: 'girder.settings',
  group: 'girder',
  title: "Girder's settings for the worker",
  needs: ['girder.token'],
  async run(context) {
    const admin = context.needed('girder.token') as GirderAdmin;
    if (!admin.isAdmin) return skip('the API key is not that of an administrator');
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
      // its settings are a help for the doctor, no need of the worker
      return warn(thrown.message, 'Is the plugin "worker" installed in Girder?');
    }
    const { finding, changes } = judgeSettings(theirs, context.settings, {
      major: admin.major,
      profile: context.profile,
    });
    return { ...finding, fact: { theirs, changes, admin } satisfies SettingsFacts };
  },
  repairs(context, fact) {
    if (fact === undefined) return [];
    const { changes, admin } = fact as SettingsFacts;
    return changes.map(({ key, value }) => ({
      what: `set ${key} in Girder to ${key === 'worker.broker' || key === 'worker.backend' ? maskUrl(value) : value}`,
      apply: async () => setSetting(context, admin, { key, value }),
    }));
  },
};

/** One setting through Girder's REST API. @throws GirderError */
export async function setSetting(
  context: Pick<CheckContext, 'settings' | 'clock'>,
  admin: Pick<GirderAdmin, 'apiUrl' | 'token'>,
  { key, value }: SettingChange,
): Promise<void> {
  await withGirder(context, admin, async (client) =>
    client.json(z.unknown(), { method: 'PUT', path: 'system/setting', form: { key, value }, attempts: 1 }),
  );
}
