import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { sifFileName } from '../apptainer/image-name.js';
import { describeFailure, type RunCommand } from '../base/command.js';
import { demoImageName } from './batch.js';
import { demoImage, installFakeApptainer, writeFakeImage, type FakeImage } from './images.js';

/** What runs the containers of the sandbox. */
export interface Runtime {
  /** Path of Apptainer or of the fake. */
  command: string;
  /** Worker settings for it. */
  settings: Readonly<Record<string, string>>;
  /** Containers see their inputs at container paths only. */
  hidesHostPaths: boolean;
  /** Notices for the screen; empty if Apptainer is real. */
  notices: string[];
}

interface RuntimeOptions {
  /** The sandbox's directory. */
  dir: string;
  run: RunCommand;
  path: string;
  isRoot: boolean;
}

/**
 * Chooses the installed Apptainer if it can build and run the demo image, otherwise the fake. Either way the demo image is
 * in `<dir>/images` afterwards.
 */
export async function prepareRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { dir, run, path, isRoot } = options;
  const image = await demoImage();
  await mkdir(join(dir, 'images'), { recursive: true, mode: 0o700 });
  const sif = join(dir, 'images', sifFileName(demoImageName));
  const found = path
    .split(delimiter)
    .map((directory) => join(directory, 'apptainer'))
    .find((file) => existsSync(file));
  const problem = found === undefined ? 'is not installed' : await buildImage(found, sif, image, options);
  if (found !== undefined && problem === undefined) {
    // An image that is built from a directory has no OCI config with these settings.
    const settings = {
      'apptainer.workingDirectory': image.config.WorkingDir ?? '/',
      'apptainer.entrypoint': './docker-entrypoint.sh',
    };
    return { command: found, settings, hidesHostPaths: true, notices: [] };
  }
  await rm(sif, { force: true });
  await writeFakeImage(sif, image);
  const fake = await installFakeApptainer({ dir: join(dir, 'apptainer'), run, isRoot });
  const how =
    fake.isolation === 'namespace'
      ? 'its containers are mount namespaces'
      : 'mounting is not permitted here, so containers get host paths in their arguments';
  const sentence = `Apptainer ${problem}: a fake with the same command line runs the analyses; ${how}.`;
  const hidesHostPaths = fake.isolation === 'namespace';
  return { command: fake.command, settings: {}, hidesHostPaths, notices: [sentence] };
}

/** @returns why the real Apptainer cannot be used, as the end of a sentence; undefined if it can */
async function buildImage(
  apptainer: string,
  sif: string,
  image: FakeImage,
  { dir, run }: RuntimeOptions,
): Promise<string | undefined> {
  const root = join(dir, 'rootfs');
  await fillRoot(root, image, run);
  const build = await run(apptainer, ['build', sif, root], { timeoutMs: 180_000 });
  const error = describeFailure(build);
  if (error !== '') return `is installed, but could not build the demo image (${firstLine(error)})`;
  // Without a slide the demo analysis exits with 3, which shows that the image works.
  const probe = await run(
    apptainer,
    ['exec', '--pwd', image.config.WorkingDir ?? '/', sif, './docker-entrypoint.sh', 'TissueFraction'],
    { timeoutMs: 60_000 },
  );
  return probe.kind === 'exited' && probe.exitCode === 3
    ? undefined
    : `is installed, but could not run the demo image (${firstLine(describeFailure(probe))})`;
}

/** The first line that is not progress output: Apptainer starts error messages with FATAL or ERROR. */
function firstLine(error: string): string {
  const lines = error.split('\n');
  const line = lines.find((text) => /FATAL|ERROR/.test(text)) ?? lines[0] ?? '';
  return line
    .replace(/^.*?(?=FATAL|ERROR)/, '')
    .trim()
    .slice(0, 200);
}

/** Fills the minimal file system for the demo analysis: a shell, this Node.js, and their libraries. */
export async function fillRoot(root: string, image: FakeImage, run: RunCommand): Promise<void> {
  for (const directory of ['bin', 'dev', 'etc', 'home', 'mnt', 'proc', 'root', 'sys', 'tmp', 'usr/bin']) {
    await mkdir(join(root, directory), { recursive: true });
  }
  const programs = [
    [await realpath('/bin/sh'), '/bin/sh'],
    [process.execPath, '/usr/bin/node'],
  ] as const;
  for (const [source, target] of programs) {
    await put(source, join(root, target));
    await chmod(join(root, target), 0o755);
    const libraries = await run('ldd', [source]);
    const text = libraries.kind === 'exited' ? libraries.stdout : '';
    for (const [library] of text.matchAll(/\/\S+/g)) await put(library, join(root, library));
  }
  for (const [path, file] of Object.entries(image.files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), file.text, { mode: file.executable ? 0o755 : 0o644 });
  }
}

async function put(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await copyFile(source, target);
}
