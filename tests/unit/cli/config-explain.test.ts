import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, temporaryHome } from './support.js';

/** A home with rules, the file of one image, and a container runtime that says where it starts. */
function site(rules: unknown) {
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
  };
  writeFileSync(profile, JSON.stringify(settings), { mode: 0o600 });
  return { ...env, PATH: '/usr/bin:/bin' };
}

describe('config explain', () => {
  const rules = [
    { image: 'example/*', cli: 'Train', gpu: true, partition: 'big', gres: 'gpu:a100:2' },
    { image: 'example/*', mem: '8G' },
  ];

  it('shows the rule that matches, what comes of it, and what the image says', async () => {
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
      sbatch: expect.arrayContaining([
        '--partition=big',
        '--gres=gpu:a100:2',
        '/opt/app',
        './docker-entrypoint.sh',
      ]),
    });
    const other = await runCli(['config', 'explain', 'example/small:v1', 'Segment'], { env });
    expect(other.stdout).toMatch(/^ {2}rule +2 of slurm\.rules$/m);
    expect(other.stdout).toMatch(/^ {2}--partition=batch +slurm\.partition$/m);
    expect(other.stdout).toMatch(/^ {2}--mem=8G +rule 2 of slurm\.rules$/m);
    expect(other.stdout).not.toContain('\u001B');
  });

  it('says what it could not look at', async () => {
    const { code, stdout } = await runCli(['config', 'explain', 'other:1'], { env: site(rules) });
    expect(code).toBe(0);
    expect(stdout).toContain('rule          none matches');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('Image other:1 is not here');
    expect((await runCli(['config', 'explain', '../x'], { env: site(rules) })).code).toBe(1);
  });

  it('names the rule and the part of it that is wrong', async () => {
    const { code, stderr } = await runCli(['config', 'explain', 'i:1'], { env: site([{}, { mem: 3 }]) });
    expect(code).toBe(2);
    expect(stderr).toContain('must be text (mem of number 2)');
    const unknown = await runCli(['config', 'explain', 'i:1'], { env: site([{ memory: '3G' }]) });
    expect(unknown.stderr).toContain('must hold rules such as');
  });
});
