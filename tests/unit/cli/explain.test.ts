import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli, temporaryHome } from './support.js';

const tasks = fileURLToPath(new URL('../../fixtures/contract/tasks/', import.meta.url));
const slurmArguments = join(tasks, 'g3.direct_docker_run.slurm_args.json');

function site(): Record<string, string> {
  const { home, env } = temporaryHome();
  const images = join(home, 'images');
  mkdirSync(images);
  writeFileSync(join(images, 'example_slurmy_v1.sif'), '');
  return { ...env, SIF_IMAGE_PATH: images, LOGS: join(home, 'logs'), TMP: home };
}

describe('dsa-slurm explain', () => {
  it('exits with 0 for a message that would be run, from a file or from standard input', async () => {
    const env = site();
    const file = await runCli(['explain', slurmArguments], { env });
    expect(file).toMatchObject({ code: 0, stderr: '' });
    expect(file.stdout).toMatch(/^It would be run\.\n/);
    expect(file.stdout).not.toContain('\u001B');
    const piped = await runCli(['explain', '-'], { env, stdin: readFileSync(slurmArguments, 'utf8') });
    expect(piped.stdout).toBe(file.stdout);
  });

  it('exits with 3 for a message that would be rejected, and with 2 if it is not a message', async () => {
    const { env } = temporaryHome();
    const refused = await runCli(['explain', join(tasks, 'g3.create_tiff.folder.json')], { env });
    expect(refused.code).toBe(3);
    expect(refused.stdout).toMatch(/^It would not be run\.\n- The task "large_image_tasks/);
    expect(await runCli(['explain', '/nonexistent.json'], { env })).toMatchObject({ code: 2 });
    expect(await runCli(['explain', '-'], { env, stdin: '{}' })).toMatchObject({ code: 2 });
  });

  it('predicts that the worker refuses to bind its own directories, directly or through links', async () => {
    const env = site();
    const volumes = readFileSync(join(tasks, 'g3.docker_run.volumes.json'), 'utf8');
    const withPath = (from: string, to: string): string => {
      expect(volumes).toContain(from);
      return volumes.replaceAll(from, to);
    };
    const refusal = 'cannot be given to a container';
    const explained = async (stdin: string) => runCli(['explain', '-'], { env, stdin });
    expect((await explained(volumes)).stdout).not.toContain(refusal);
    const logs = env['LOGS'] ?? '';
    mkdirSync(logs);
    const link = join(env['TMP'] ?? '', 'link');
    symlinkSync(logs, link);
    for (const path of [logs, link, `${link}/of-a-run`]) {
      const { code, stdout } = await explained(withPath('/data/shared', path));
      expect({ code, stdout: stdout.replaceAll(/\s+/g, ' ') }).toMatchObject({
        code: 3,
        stdout: expect.stringContaining(refusal),
      });
    }
    // a new directory of the run in TMP is harmless; one in the logs is not
    expect((await explained(withPath('/shared/tmproot', env['TMP'] ?? ''))).stdout).not.toContain(refusal);
    expect((await explained(withPath('/shared/tmproot', logs))).code).toBe(3);
  });

  it.each(readdirSync(tasks))('%s prints no secret without --show-secrets', async (name) => {
    const env = site();
    const raw = readFileSync(join(tasks, name), 'utf8');
    for (const flags of [[], ['--json']]) {
      const { stdout, stderr } = await runCli(['explain', join(tasks, name), ...flags], { env });
      expect(stdout + stderr).not.toContain('FAKETOKEN');
    }
    const { stdout } = await runCli(['explain', join(tasks, name), '--json', '--show-secrets'], { env });
    const { decoded } = JSON.parse(stdout) as { decoded: unknown };
    const { body } = JSON.parse(raw) as { body: string };
    if (body.includes('FAKETOKEN')) expect(JSON.stringify(decoded)).toContain('FAKETOKEN');
  });

  it('has a help with examples and exit codes', async () => {
    const { stdout } = await runCli(['explain', '--help']);
    expect(stdout).toContain('dsa-slurm explain message.json');
    expect(stdout).toContain('3 if rejected');
  });
});
