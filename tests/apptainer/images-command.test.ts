import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRunner } from '../../src/base/command.js';
import { silentLog } from '../../src/base/log.js';
import { startSlurm, type SlurmService } from '../../src/sandbox/services/slurm.js';
import { startFakeGirder, type FakeGirder } from '../../src/sandbox/fake-girder/index.js';
import { runProgram, startProgram } from '../support/program.js';
import { openBench, type Bench } from './support/bench.js';
import { ociBlobs, type OciImage } from './support/oci.js';
import { startRegistry, type Registry } from './support/registry.js';

// `dsa-slurm images`, as built, over the real Apptainer and a private registry on loopback.

/** An image for Slicer CLI Web with one CLI. */
function cliImage(title: string): OciImage {
  const script = `#!/bin/sh
case $1 in
  --list_cli) echo '{"Nuclei": {"type": "python"}}' ;;
  Nuclei) echo '<executable><title>${title}</title></executable>' ;;
esac
`;
  return {
    config: { Entrypoint: ['/bin/sh', 'cli.sh'], WorkingDir: '/opt/app', Env: ['PATH=/bin'] },
    files: { '/opt/app/cli.sh': script },
  };
}

let bench: Bench;
let registry: Registry;
let imagesDir: string;
let home: string;
let env: Record<string, string | undefined>;

beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => bench.close());

let count = 0;
beforeEach(async () => {
  registry = await startRegistry();
  count += 1;
  const dir = join(bench.dir, String(count));
  imagesDir = join(dir, 'images');
  home = join(dir, 'home');
  for (const each of [imagesDir, home]) await mkdir(each, { recursive: true });
  env = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: home,
    APPTAINER_NOHTTPS: '1',
    SIF_IMAGE_PATH: imagesDir,
    DSA_SLURM_APPTAINER_COMMAND: bench.apptainer,
    DSA_SLURM_DIRS_STATE: join(dir, 'state'),
  };
});
afterEach(async () => registry.close());

const images = async (...args: string[]) => runProgram(['images', ...args], env);
const offer = async (title: string, name = 'lab/nuclei', tag = 'v1') =>
  registry.put(name, tag, await ociBlobs(bench.root, cliImage(title)));

describe('images pull', () => {
  it('pulls under the name that Slicer CLI Web expects, and asks the image for its CLIs', async () => {
    await offer('first');
    const { code, stdout, stderr } = await images('pull', `${registry.host}/lab/nuclei:v1`);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const file = `${registry.host.replace(':', '_')}_lab_nuclei_v1.sif`;
    expect(stdout).toBe(`${registry.host}/lab/nuclei:v1: pulled as ${file}; CLIs: Nuclei\n`);
    expect(stderr).toContain(`pulling ${registry.host}/lab/nuclei:v1`);
    expect(await readdir(imagesDir)).toEqual([file]);
    // nothing of it is kept in the home of the worker's user
    expect(existsSync(join(home, '.apptainer', 'cache', 'blob'))).toBe(false);
  });

  it('keeps the old file if the new one does not answer, otherwise replaces it', async () => {
    await offer('first');
    const name = `${registry.host}/lab/nuclei:v1`;
    expect((await images('pull', name)).code).toBe(0);
    const [file = ''] = await readdir(imagesDir);
    const before = await readFile(join(imagesDir, file));

    registry.put('lab/nuclei', 'v1', await ociBlobs(bench.root, { config: { Entrypoint: ['/bin/true'] } }));
    const refused = await images('pull', name);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`The CLI list of image ${name} is invalid: it is not JSON.`);
    expect(await readdir(imagesDir)).toEqual([file]);
    expect((await readFile(join(imagesDir, file))).equals(before)).toBe(true);

    await offer('second');
    expect((await images('pull', name)).code).toBe(0);
    expect((await readFile(join(imagesDir, file))).equals(before)).toBe(false);
  });

  it('takes an image that is not for Slicer CLI Web with --no-check', async () => {
    registry.put('lab/tool', 'v1', await ociBlobs(bench.root, { config: { Entrypoint: ['/bin/true'] } }));
    const { code, stdout } = await images('pull', '--no-check', '--json', `${registry.host}/lab/tool:v1`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      directory: imagesDir,
      images: [{ image: `${registry.host}/lab/tool:v1`, clis: null, registered: null }],
    });
  });

  it('says once why an image cannot be pulled, and what to do', async () => {
    await offer('first');
    const name = `${registry.host}/lab/nuclei:v9`;
    const { code, stdout, stderr } = await images('pull', name, `${registry.host}/lab/nuclei:v1`);
    expect(code).toBe(1);
    expect(stderr.match(/manifest unknown/g)).toHaveLength(1);
    expect(stderr).toContain('Check the name and tag of the image.');
    // the other one was pulled all the same
    expect(stdout).toContain('lab/nuclei:v1: pulled as ');
    expect(await readdir(imagesDir)).toHaveLength(1);
  });

  it('says what to set for a registry that speaks HTTP only', async () => {
    await offer('first');
    env['APPTAINER_NOHTTPS'] = undefined;
    const { code, stderr } = await images('pull', `${registry.host}/lab/nuclei:v1`);
    expect(code).toBe(1);
    expect(stderr).toContain('set APPTAINER_NOHTTPS=1 in the environment');
    expect(await readdir(imagesDir)).toEqual([]);
  });

  it('passes user and password to a registry that requires them, and shows neither', async () => {
    await registry.close();
    registry = await startRegistry({ user: 'ada', password: 'open sesame' });
    await offer('first');
    const name = `${registry.host}/lab/nuclei:v1`;
    const refused = await images('pull', name);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('APPTAINER_DOCKER_USERNAME');
    env = { ...env, APPTAINER_DOCKER_USERNAME: 'ada', APPTAINER_DOCKER_PASSWORD: 'open sesame' };
    const { code, stdout, stderr } = await images('pull', name);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout + stderr).not.toContain('open sesame');
  });

  it('leaves nothing behind after an interrupt', async () => {
    await offer('first');
    registry.hold(true);
    const program = startProgram(['images', 'pull', `${registry.host}/lab/nuclei:v1`], { env });
    await expect
      .poll(() => registry.asked.some((path) => path.includes('/blobs/')), { timeout: 60_000 })
      .toBe(true);
    program.signal('SIGINT');
    expect(await program.ended).toBe(1);
    expect(program.stderr()).toContain('The pull was interrupted; nothing was changed.');
    expect(await readdir(imagesDir)).toEqual([]);
  });

  describe('on a compute node', () => {
    let slurm: SlurmService;
    let slurmDir: string;
    beforeEach(async () => {
      // paths of its sockets are short
      slurmDir = await mkdtemp(join(tmpdir(), 'dsa-'));
      slurm = await startSlurm({ dir: slurmDir, nodes: 1, log: silentLog(), env: process.env });
      env = { ...env, ...slurm.env, HOME: home };
    });
    afterEach(async () => {
      await slurm.stop();
      await rm(slurmDir, { recursive: true, force: true });
    });

    const jobs = async () =>
      (await createRunner({ env: slurm.env })('squeue', ['--noheader', '--states=all', '--format=%T'])) as {
        stdout: string;
      };

    it('pulls the same as on this host', async () => {
      await offer('first');
      const image = `${registry.host}/lab/nuclei:v1`;
      const { code, stdout, stderr } = await images('pull', '--on', 'slurm', image);
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`${image}: pulled as `);
      expect(await readdir(imagesDir)).toEqual([`${registry.host.replace(':', '_')}_lab_nuclei_v1.sif`]);
      expect((await jobs()).stdout).toContain('COMPLETED');
    });

    it('says why an image cannot be pulled there', async () => {
      const { code, stderr } = await images('pull', '--on', 'slurm', `${registry.host}/lab/absent:v1`);
      expect(code).toBe(1);
      expect(stderr).toMatch(/manifest unknown|not found|404/i);
      expect(await readdir(imagesDir)).toEqual([]);
      expect((await jobs()).stdout.trim()).not.toBe('');
    });
  });

  describe('with an API key', () => {
    let girder: FakeGirder;
    beforeEach(async () => {
      girder = await startFakeGirder({ dir: join(home, '..'), revoke: async () => undefined });
      env = { ...env, DSA_SLURM_GIRDER_API_URL: girder.apiUrl, DSA_SLURM_GIRDER_API_KEY: 'k'.repeat(40) };
    });
    afterEach(async () => girder.stop());

    /** Routes that the fake Girder lacks: the exchange of an API key, and the setting of Slicer CLI Web. */
    const withFolder = (folderId: string | null) => {
      const answers = {
        'api_key/token': { authToken: { token: girder.userToken, scope: [] } },
        'system/setting?key=slicer_cli_web.task_folder': folderId,
      };
      girder.fail((_method, path) => {
        const found = Object.entries(answers).find(([asked]) => asked === path);
        if (found === undefined) return undefined;
        return {
          kind: 'answer',
          status: 200,
          contentType: 'application/json',
          body: JSON.stringify(found[1]),
        };
      });
    };

    it('registers the image in Girder', async () => {
      await offer('first');
      withFolder(girder.rootFolderId);
      const name = `${registry.host}/lab/nuclei:v1`;
      const { code, stdout, stderr } = await images('pull', name);
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain('; registered in Girder');
      const [image] = girder
        .folders(girder.rootFolderId)
        .filter((folder) => folder.name.endsWith('lab/nuclei'));
      const [tag] = girder.folders(image?.id ?? '');
      expect(girder.items(tag?.id ?? '').map((item) => item.name)).toEqual(['Nuclei']);
    });

    it('reports if only the registration in Girder failed', async () => {
      await offer('first');
      withFolder(null);
      const { code, stderr } = await images('pull', `${registry.host}/lab/nuclei:v1`);
      expect(code).toBe(1);
      expect(stderr).toContain(
        'was pulled, but could not be registered in Girder: Girder has no folder for images.',
      );
      expect(await readdir(imagesDir)).toHaveLength(1);
    });
  });
});

describe('images list, inspect, check and remove', () => {
  beforeEach(async () => {
    await offer('first');
    expect((await images('pull', `${registry.host}/lab/nuclei:v1`)).code).toBe(0);
  });

  it('list says which files are incomplete', async () => {
    const [file = ''] = await readdir(imagesDir);
    const content = await readFile(join(imagesDir, file));
    await writeFile(join(imagesDir, 'cut_v1.sif'), content.subarray(0, 400_000));
    await writeFile(join(imagesDir, 'notes_v1.sif'), 'nothing');
    const { code, stdout, stderr } = await images('list');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['FILE', 'SIZE', 'MODIFIED', 'STATE', 'RUNS'],
      [file, expect.any(String), expect.any(String), 'complete', '-'],
      ['cut_v1.sif', '400 kB', expect.any(String), 'cut short', '-'],
      ['notes_v1.sif', '7 B', expect.any(String), 'not a SIF', '-'],
      [''],
    ]);
    expect(stderr).toContain(`3 images in ${imagesDir}`);
    const json = JSON.parse((await images('list', '--json')).stdout) as { images: { state: string }[] };
    expect(json.images.map(({ state }) => state)).toEqual(['complete', 'cut short', 'not a SIF']);
  });

  it('inspect prints the metadata of the image', async () => {
    const { code, stdout } = await images('inspect', `${registry.host}/lab/nuclei:v1`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^directory +\/opt\/app \(from its OCI config\)$/m);
    expect(stdout).toMatch(/^entry point +\["\/bin\/sh","cli\.sh"\] \(from its OCI config\)$/m);
    expect((await images('inspect', 'lab/none:v1')).code).toBe(3);
  });

  it('check asks each image, and names those that do not answer', async () => {
    const [file = ''] = await readdir(imagesDir);
    expect(await images('check')).toMatchObject({ code: 0, stdout: `ok    ${file}: Nuclei\n` });
    await bench.sif(join('..', String(count), 'images', 'mute_v1'), {
      config: { Entrypoint: ['/bin/true'] },
    });
    const { code, stdout } = await images('check');
    expect(code).toBe(1);
    expect(stdout).toContain(`ok    ${file}: Nuclei\n`);
    expect(stdout).toContain(
      'FAIL  mute_v1.sif: The CLI list of image mute_v1.sif is invalid: it is not JSON.',
    );
  });

  it('remove asks for confirmation', async () => {
    const [file = ''] = await readdir(imagesDir);
    const refused = await images('remove', file);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Add --yes to remove without confirmation.'),
    });
    expect(await readdir(imagesDir)).toEqual([file]);
    expect(await images('remove', '--yes', file)).toMatchObject({ code: 0, stdout: `removed ${file}\n` });
    expect(await readdir(imagesDir)).toEqual([]);
    expect((await images('remove', '--yes', file)).code).toBe(3);
  });
});
