import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBench, type Bench } from './support/bench.js';

// What the other tests stand on: the wrapper is Apptainer itself, in each situation that it can be put into.

let bench: Bench;
let sif: string;
beforeAll(async () => {
  bench = await openBench();
  sif = await bench.sif('plain', {});
});
afterAll(async () => bench.close());

/** The image of the first bench, run in another situation. */
async function execIn(options: Parameters<typeof openBench>[0]) {
  const other = await openBench(options);
  try {
    return await other.exec('--containall', sif, '/bin/echo', 'hello');
  } finally {
    await other.close();
  }
}

describe('the real Apptainer', () => {
  it('runs a container as an ordinary user, without unpacking the image', async () => {
    const { exitCode, stdout, stderr } = await bench.exec('--containall', sif, '/bin/sh', '-c', 'id -u');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '1000\n' });
    expect(stderr).not.toMatch(/Converting SIF file to temporary sandbox/);
  });

  it('reads private files of the caller, and its output files belong to the caller', async () => {
    const secret = join(bench.dir, 'input');
    await writeFile(secret, 'input of the caller', { mode: 0o600 });
    const result = await bench.exec('--bind', bench.dir, sif, '/bin/cp', secret, join(bench.dir, 'output'));
    expect(result.exitCode).toBe(0);
    expect(await readFile(join(bench.dir, 'output'), 'utf8')).toBe('input of the caller');
    expect((await stat(join(bench.dir, 'output'))).uid).toBe(process.getuid?.());
  });

  it('passes arguments, environment and exit code through', async () => {
    const odd = ['', 'two\nlines', '$HOME', "a'b", '--help', 'é漢🔬'];
    const script = 'printf "<%s>" "$@"; exit 42';
    const { exitCode, stdout } = await bench.exec(sif, '/bin/sh', '-c', script, 'sh', ...odd);
    expect({ exitCode, stdout }).toEqual({ exitCode: 42, stdout: odd.map((text) => `<${text}>`).join('') });
  });
});

describe('the simulated environments', () => {
  it('/dev/fuse closed: no container starts', async () => {
    const { exitCode, stdout, stderr } = await execIn({ fuse: 'closed' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 255, stdout: '' });
    expect(stderr).toContain('/dev/fuse: Permission denied');
  });

  it('user namespaces closed: no container starts', async () => {
    const { exitCode, stdout, stderr } = await execIn({ userNamespaces: 'closed' });
    expect(exitCode).toBe(1);
    // Apptainer writes its advice to standard output, where a program's answer is looked for
    expect(stdout).toMatch(/^INFO +: A system administrator may need to enable user namespaces/);
    expect(stderr).toContain('Failed to create user namespace');
  });

  it('root without all capabilities: no container starts', async () => {
    const { exitCode, stdout, stderr } = await execIn({ user: 'root' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain('Requesting capability set');
  });

  it('no squashfuse: the image is unpacked first', async () => {
    const { exitCode, stdout, stderr } = await execIn({ squashfuse: false });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'hello\n' });
    expect(stderr).toContain('Converting SIF file to temporary sandbox');
  });

  it("lines of the site's apptainer.conf", async () => {
    const { exitCode, stderr } = await execIn({ config: 'limit container paths = /usr/share' });
    expect(exitCode).toBe(255);
    expect(stderr).toMatch(/not in an allowed|not allowed|not permitted/);
  });
});
