import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLog } from '../../../../src/base/log.js';
import { openJournal } from '../../../../src/worker/run-state/journal.js';
import { heldLease } from '../../../support/lease.js';
import { someTask } from '../../../support/tasks.js';
import { runCli, temporaryHome } from '../../cli/support.js';

/** Secrets of every kind, by where they are planted. */
const secrets = {
  brokerPassword: 'br0ker/p@ss-word',
  apiKey: 'Ab1'.repeat(13) + 'x',
  mongoPassword: 'm0ngo-pass-word',
  girderToken: 'T0ken'.repeat(12) + 'abcd',
  shortToken: 'short-token-0123456789',
  proxyPassword: 'pr0xy-credential',
  environment: 'value-of-DB_PASSWORD',
  bearer: 'cafe-bearer-cafe',
  scriptSecret: 'export-in-the-script',
  logPassword: 'password-in-the-log',
};
const title = 'Patient Jane Doe slide 7';

test('the bundle has what helps, and none of the planted secrets', async () => {
  const { home, env: base } = temporaryHome();
  const encoded = encodeURIComponent(secrets.brokerPassword);
  const env = {
    ...base,
    PATH: '/usr/bin:/bin',
    DSA_SLURM_BROKER_URL: `amqp://dsa:${encoded}@rabbitmq.example/`,
    DSA_SLURM_GIRDER_API_KEY: secrets.apiKey,
    DSA_SLURM_MONGO_URI: `mongodb://dsa:${secrets.mongoPassword}@mongo.example/girder`,
    https_proxy: `http://me:${secrets.proxyPassword}@proxy.example:3128`,
    DB_PASSWORD: secrets.environment,
    DSA_SLURM_SUBMIT_SCRIPT: join(home, 'submit.slurm'),
  };
  const state = join(home, '.local/state/dsa-slurm/default');
  mkdirSync(state, { recursive: true });
  const { journal } = await openJournal(state, silentLog(), heldLease);
  const headers = { girder_client_token: secrets.girderToken, other_header: secrets.shortToken };
  await journal.append('run-1', { type: 'accepted', at: 1, task: someTask({ headers }), refusal: null });
  await journal.append('run-1', {
    type: 'described',
    at: 2,
    description: { title, user: 'jdoe', image: 'example/small:v1' },
  });
  await journal.close();
  writeFileSync(env.DSA_SLURM_SUBMIT_SCRIPT, `#!/bin/sh\nexport API_TOKEN=${secrets.scriptSecret}\n`);
  writeFileSync(
    join(state, 'worker.log'),
    [
      `connected to amqp://dsa:${secrets.brokerPassword}@rabbitmq.example/`,
      `Girder-Token: ${secrets.girderToken} and ${secrets.shortToken}`,
      `password=${secrets.logPassword}`,
      `Authorization: Bearer ${secrets.bearer}`,
      `key ${secrets.apiKey}`,
      `proxy http://me:${secrets.proxyPassword}@proxy.example:3128 and ${secrets.environment}`,
      'a harmless line',
    ].join('\n'),
  );
  const output = join(home, 'bundle.tar.gz');
  const result = await runCli(['support-bundle', '--yes', '--no-doctor', '--output', output], { env });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(result.stdout).toContain('worker.log');
  expect(statSync(output).mode & 0o777).toBe(0o600);

  const unpacked = join(home, 'unpacked');
  mkdirSync(unpacked);
  // the real tar reads it
  execFileSync('tar', ['-xzf', output, '-C', unpacked, '--strip-components=1']);
  const files = new Map(
    readdirSync(unpacked).map((name) => [name, readFileSync(join(unpacked, name), 'utf8')]),
  );
  for (const [name, text] of files) {
    for (const [kind, secret] of Object.entries({ ...secrets, encoded, title, user: 'jdoe' })) {
      expect(text.includes(secret), `${kind} in ${name}`).toBe(false);
    }
  }
  expect(files.get('worker.log')).toContain('a harmless line');
  expect(files.get('submit-script.txt')).toContain('API_TOKEN=***');
  expect(files.get('settings.json')).toContain('rabbitmq.example');
  expect(JSON.parse(files.get('runs.json') ?? '')).toMatchObject({
    runs: [{ id: 'run-1', stage: 'accepted', image: 'example/small:v1' }],
  });
  expect(JSON.parse(files.get('about.json') ?? '')).toMatchObject({
    environment: { DB_PASSWORD: '(set)', DSA_SLURM_BROKER_URL: '(set)', PATH: '/usr/bin:/bin' },
  });
  expect(files.get('unit.txt')).toMatch(/^not available: ENOENT/);

  // never over a file that exists
  expect((await runCli(['support-bundle', '--yes', '--no-doctor', '--output', output], { env })).code).toBe(
    1,
  );
});

test('without a terminal it asks for --yes', async () => {
  const { env } = temporaryHome();
  const { code, stderr } = await runCli(['support-bundle'], { env });
  expect(code).toBe(2);
  expect(stderr).toContain('--yes');
});
