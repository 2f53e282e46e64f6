import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An image as `docker build` would leave it in a registry. Its programs are those of a static busybox, in /bin. */
export interface OciImage {
  /** The `config` of its OCI config, by Docker's names: Env, WorkingDir, Entrypoint, Cmd, User, Labels. */
  config?: Readonly<Record<string, unknown>>;
  /** By absolute path; a text is a file of mode 0644, or 0755 if it starts with `#!`. */
  files?: Readonly<Record<string, string | OciFile>>;
  /** False: an image without any program of its own. */
  busybox?: boolean;
}

export interface OciFile {
  text?: string;
  /** Default 0644, for a directory 0755. */
  mode?: number;
  uid?: number;
  /** Default false. */
  directory?: boolean;
}

/** A thing in a registry: what it is called by, and its bytes. */
export interface OciBlob {
  digest: string;
  mediaType: string;
  content: Buffer;
}

export interface OciBlobs {
  manifest: OciBlob;
  config: OciBlob;
  layer: OciBlob;
}

/** @param root of {@link prepareRealRoot}, where busybox is taken from */
export async function ociBlobs(root: string, image: OciImage): Promise<OciBlobs> {
  const layer = blob('application/vnd.oci.image.layer.v1.tar', await layerTar(root, image));
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: image.config ?? {},
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
    }),
  );
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = blob(
    manifestType,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor(config),
      layers: [descriptor(layer)],
    }),
  );
  return { manifest, config, layer };
}

/** Writes an OCI layout: what `apptainer build x.sif oci:<dir>` builds from. */
export async function writeOciLayout(dir: string, blobs: OciBlobs): Promise<void> {
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true });
  for (const { digest, content } of Object.values(blobs) as OciBlob[]) {
    await writeFile(join(dir, 'blobs', ...digest.split(':')), content);
  }
  const index = { schemaVersion: 2, manifests: [descriptor(blobs.manifest)] };
  await writeFile(join(dir, 'index.json'), JSON.stringify(index));
  await writeFile(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

/** A real SIF of an image, built by the real Apptainer. */
export async function buildSif(
  { root, apptainer }: { root: string; apptainer: string },
  image: OciImage,
  sif: string,
): Promise<string> {
  await mkdir(dirname(sif), { recursive: true });
  const layout = `${sif}.oci`;
  await writeOciLayout(layout, await ociBlobs(root, image));
  await run(apptainer, ['build', '--force', sif, `oci:${layout}`]);
  return sif;
}

function blob(mediaType: string, content: string | Buffer): OciBlob {
  const bytes = Buffer.from(content);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { digest, mediaType, content: bytes };
}

function descriptor({ digest, mediaType, content }: OciBlob): Record<string, unknown> {
  return { mediaType, digest, size: content.length };
}

async function layerTar(root: string, { files = {}, busybox = true }: OciImage): Promise<Buffer> {
  const entries = new Map<string, TarEntry>();
  const add = (path: string, entry: TarEntry) => {
    const parent = posix.dirname(path);
    if (parent !== '/' && !entries.has(parent)) add(parent, { type: 'directory', mode: 0o755 });
    entries.set(path, entry);
  };
  if (busybox) {
    const program = join(root, 'usr', 'bin', 'busybox');
    const { stdout } = await run(program, ['--list']);
    const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
    add('/bin/busybox', { type: 'file', mode: 0o755, content: await readFile(program) });
    for (const name of applets) add(`/bin/${name}`, { type: 'link', mode: 0o777, target: 'busybox' });
  }
  add('/tmp', { type: 'directory', mode: 0o1777 });
  for (const [path, given] of Object.entries(files)) {
    const file: OciFile = typeof given === 'string' ? { text: given } : given;
    const { text = '', uid = 0 } = file;
    if (file.directory === true) add(path, { type: 'directory', mode: file.mode ?? 0o755, uid });
    else {
      const mode = file.mode ?? (text.startsWith('#!') ? 0o755 : 0o644);
      add(path, { type: 'file', mode, uid, content: Buffer.from(text) });
    }
  }
  const records = [...entries].map(([path, entry]) => tarRecord(path.slice(1), entry));
  return Buffer.concat([...records, Buffer.alloc(1_024)]);
}

interface TarEntry {
  type: 'file' | 'directory' | 'link';
  mode: number;
  uid?: number;
  content?: Buffer;
  target?: string;
}

/** One entry of an archive in the format ustar (POSIX.1-1988). */
function tarRecord(name: string, { type, mode, uid = 0, content, target = '' }: TarEntry): Buffer {
  const size = content?.length ?? 0;
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(octal(mode, 8), 100);
  header.write(octal(uid, 8), 108);
  header.write(octal(uid, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write({ file: '0', link: '2', directory: '5' }[type], 156);
  header.write(target, 157, 100);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)}\0 `, 148, 'latin1');
  const padding = Buffer.alloc((512 - (size % 512)) % 512);
  return Buffer.concat([header, content ?? Buffer.alloc(0), padding]);
}

function octal(value: number, length: number): string {
  return value.toString(8).padStart(length - 1, '0');
}
