import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sendJson, startScriptedServer } from '../../support/scripted-http.js';
import { runCli, temporaryHome } from './support.js';

/** A home with rules, an image file, and a container runtime that reports a working directory. */
function site(rules: unknown, girder: Record<string, unknown> = {}) {
  const { home, env, profile } = temporaryHome();
  const images = join(home, 'images');
  mkdirSync(images);
  writeFileSync(join(images, 'example_small_v1.sif'), '');
  const apptainer = join(home, 'apptainer');
  const answer =
    '{"data":{"attributes":{"labels":{"entry_path":"/opt/app","com.nvidia.volumes.needed":"x"}}}}';
  writeFileSync(apptainer, `#!/bin/sh\n[ "$1" = inspect ] && echo '${answer}'\n`, { mode: 0o755 });
  mkdirSync(dirname(profile), { recursive: true });
  const settings = {
    slurm: { rules, partition: 'batch' },
    dirs: { images, logs: '/logs', tmp: '/tmp' },
    apptainer: { command: apptainer },
    girder,
  };
  writeFileSync(profile, JSON.stringify(settings), { mode: 0o600 });
  return { ...env, PATH: '/usr/bin:/bin' };
}

describe('config explain', () => {
  const rules = [
    { image: 'example/*', cli: 'Train', gpu: true, partition: 'big', gres: 'gpu:a100:2' },
    { image: 'example/*', mem: '8G' },
  ];

  it('shows the matching rule, the resulting command lines, and the metadata of the image', async () => {
    const env = site(rules);
    const { code, stdout } = await runCli(['config', 'explain', 'example/small:v1', 'Train', '--json'], {
      env,
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      rule: 1,
      gpu: true,
      inspected: true,
      notes: [],
      resources: [
        { option: 'partition', value: 'big', origin: { from: 'rule', rule: 1 } },
        { option: 'gres', value: 'gpu:a100:2', origin: { from: 'rule', rule: 1 } },
      ],
      sbatch: expect.arrayContaining(['--partition=big', '--gres=gpu:a100:2']),
      apptainer: expect.arrayContaining(['/opt/app', './docker-entrypoint.sh']),
    });
    const other = await runCli(['config', 'explain', 'example/small:v1', 'Segment'], { env });
    expect(other.stdout).toMatch(/^ {2}rule +2 of slurm\.rules$/m);
    expect(other.stdout).toMatch(/^ {2}--partition=batch +slurm\.partition$/m);
    expect(other.stdout).toMatch(/^ {2}--mem=8G +rule 2 of slurm\.rules$/m);
    expect(other.stdout).not.toContain('\u001B');
  });

  it('reads Girder’s settings if there is an API key, and reports when Girder refuses', async () => {
    const girder = { isWell: true };
    const server = await startScriptedServer((response, { path, headers }) => {
      if (!girder.isWell) return sendJson(response, { type: 'access', message: 'Invalid API key.' }, 403);
      if (path === '/api/v1/api_key/token')
        return sendJson(response, { authToken: { token: 'T', scope: [] } });
      if (headers['girder-token'] !== 'T')
        return sendJson(response, { type: 'access', message: 'Who?' }, 401);
      sendJson(response, { 'worker_slurm.time': '1-0', 'worker_slurm.mem': '2G' });
    });
    try {
      const env = site(rules, { apiUrl: `${server.origin}/api/v1`, apiKey: 'k'.repeat(40) });
      const asked = await runCli(['config', 'explain', 'example/small:v1', 'Segment'], { env });
      expect(asked.stdout).toMatch(/^ {2}--time=1-0 +Girder: worker_slurm\.time$/m);
      // the rule overrides it
      expect(asked.stdout).toMatch(/^ {2}--mem=8G +rule 2 of slurm\.rules$/m);
      girder.isWell = false;
      const refused = await runCli(['config', 'explain', 'example/small:v1', 'Segment'], { env });
      expect(refused.code).toBe(0);
      expect(refused.stdout).not.toContain('--time');
      const words = refused.stdout.replaceAll(/\s+/g, ' ');
      expect(words).toMatch(
        /Girder's settings for Slurm cannot be read: .*403.* The profile's own settings are used\./,
      );
      expect(refused.stdout).not.toContain('kkkk');
    } finally {
      await server.close();
    }
  });

  it('reports what it could not read', async () => {
    const { code, stdout } = await runCli(['config', 'explain', 'other:1'], { env: site(rules) });
    expect(code).toBe(0);
    expect(stdout).toContain('rule          none matches');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('Image other:1 is missing');
    expect((await runCli(['config', 'explain', '../x'], { env: site(rules) })).code).toBe(1);
  });

  it('names the invalid rule and its invalid key', async () => {
    const { code, stderr } = await runCli(['config', 'explain', 'i:1'], { env: site([{}, { mem: 3 }]) });
    expect(code).toBe(2);
    expect(stderr).toContain('must be a string (mem of item 2)');
    const unknown = await runCli(['config', 'explain', 'i:1'], { env: site([{ memory: '3G' }]) });
    expect(unknown.stderr).toContain('must contain rules such as');
  });
});
