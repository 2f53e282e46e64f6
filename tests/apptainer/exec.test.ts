import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execArguments, type ContainerBind } from '../../src/apptainer/exec-args.js';
import { createApptainer } from '../../src/apptainer/inspect.js';
import { openBench, type Bench } from './support/bench.js';

// The vector that the product builds, as the real Apptainer understands it.

let bench: Bench;
let sif: string;
beforeAll(async () => {
  bench = await openBench();
  sif = await bench.sif('facts', {
    config: {
      Env: ['PATH=/bin', 'PRICE=costs $5'],
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['echo hello'],
      WorkingDir: '/opt/app',
      User: '1234',
      Labels: { 'com.nvidia.volumes.needed': 'nvidia_driver' },
    },
    files: { '/opt/app/own': 'of the image' },
  });
});
afterAll(async () => bench.close());

const vector = (binds: readonly ContainerBind[]): string[] =>
  execArguments({
    sif,
    workingDirectory: '/opt/app',
    binds,
    gpu: false,
    isolation: { off: new Set(), home: '/', replacesEnvironment: true, space: null },
    options: [],
  });

describe('facts of an image', () => {
  it('are those of its OCI config and its labels', async () => {
    const facts = await createApptainer({ run: bench.run, command: bench.apptainer }).inspect(
      'facts:v1',
      sif,
    );
    expect(facts).toMatchObject({
      workingDirectory: '/opt/app',
      workingDirectoryFrom: 'oci',
      entrypoint: ['/bin/sh', '-c'],
      cmd: ['echo hello'],
      needsGpu: true,
      oci: { environment: { PATH: '/bin', PRICE: 'costs $5' }, user: '1234' },
    });
  });

  it('of an image whose label names its directory', async () => {
    const labeled = await bench.sif('labeled', { config: { Labels: { entry_path: '/opt/slicer' } } });
    const facts = await createApptainer({ run: bench.run, command: bench.apptainer }).inspect(
      'l:v1',
      labeled,
    );
    expect(facts).toMatchObject({
      workingDirectory: '/opt/slicer',
      workingDirectoryFrom: 'label',
      entrypoint: ['./docker-entrypoint.sh'],
    });
  });
});

describe('directories with odd names', () => {
  it.each([
    'plain',
    'with blank',
    'comma,comma',
    'colon:colon',
    'double"quote',
    "single'quote",
    String.raw`back\slash`,
    'é漢🔬',
    '$HOME',
    '100%',
    'a=b',
    'semi;colon',
    'star*',
    '#hash',
    '[brackets]',
    '{braces}',
    '-dash',
    '~tilde',
    'a&b|c',
  ])('%s', async (name) => {
    const [input, output] = [join(bench.dir, 'in', name), join(bench.dir, 'out', name)];
    await mkdir(input, { recursive: true });
    await mkdir(output, { recursive: true });
    await writeFile(join(input, 'slide'), name);
    const binds: ContainerBind[] = [
      { host: input, container: `/mnt/in/${name}`, mode: 'ro' },
      { host: output, container: `/mnt/out/${name}`, mode: 'rw' },
    ];
    const script = 'cat "$1/slide" >"$2/result" && ! { echo x >"$1/new"; } 2>/dev/null';
    const words = ['/bin/sh', '-c', script, 'sh', `/mnt/in/${name}`, `/mnt/out/${name}`];
    const { exitCode, stderr } = await bench.exec(...vector(binds), ...words);
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(await readFile(join(output, 'result'), 'utf8')).toBe(name);
    await expect(stat(join(input, 'new'))).rejects.toThrow('ENOENT');
  });
});

describe('how a container ends', () => {
  it.each([0, 1, 3, 42, 126, 127, 137, 255])('exit code %d', async (code) => {
    const { exitCode } = await bench.exec(...vector([]), '/bin/sh', '-c', `exit ${code}`);
    expect(exitCode).toBe(code);
  });

  it.each([
    ['TERM', 143],
    ['KILL', 137],
    ['SEGV', 139],
  ])('by SIG%s', async (signal, code) => {
    const { exitCode } = await bench.exec(...vector([]), '/bin/sh', '-c', `kill -${signal} $$; sleep 60`);
    expect(exitCode).toBe(code);
  });

  it('SIGTERM reaches the program, which ends in its own way', async () => {
    const script = `trap 'echo asked to end; exit 7' TERM; echo ready; while true; do sleep 0.1; done`;
    const child = spawn(bench.apptainer, ['--quiet', 'exec', ...vector([]), '/bin/sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let message = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      message += text;
      if (text.includes('ready')) child.kill('SIGTERM');
    });
    const code = await new Promise((resolve) => {
      child.once('close', resolve);
    });
    expect({ code, message }).toEqual({ code: 7, message: 'ready\nasked to end\n' });
  });
});
