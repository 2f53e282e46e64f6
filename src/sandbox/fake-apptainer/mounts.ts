import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fatal, isDirectory } from './common.js';
import { nodeDirectory } from './environment.js';
import type { Bind, ExecOptions } from './exec-options.js';
import type { Image } from './image.js';

/** Directories of this machine that every container sees, read-only where they can be. */
const systemDirectories = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/etc', '/dev', '/proc'];

/** Apptainer's limit for writable memory (`sessiondir max size`), as a mount option. */
const sessionSize = 'size=64m';

/**
 * Builds the container's file system, visible to this process and its children only.
 * @returns its root
 */
export function buildRoot(root: string, image: Image, binds: readonly Bind[], options: ExecOptions): string {
  const { layer } = options;
  mount(['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', root]);
  const [base, top] = [join(root, 'image'), join(root, 'top')];
  for (const directory of [base, top]) mkdirSync(directory);
  for (const directory of ['/tmp', '/var/tmp', '/root', '/mnt', '/home', ...systemDirectories]) {
    if (isDirectory(directory)) mkdirSync(join(base, directory), { recursive: true });
  }
  for (const [path, file] of Object.entries(image.files)) {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), file.text, { mode: file.executable ? 0o755 : 0o644 });
  }
  const ordered = [...hostBinds(options), ...binds, containedTemporary(root, options)]
    .flat()
    // outer directories first, so that no bind hides another
    .sort((a, b) => a.target.length - b.target.length);
  for (const bind of ordered) makeTarget(bind, base);
  mkdirSync(join(base, nodeDirectory), { recursive: true });
  writeFileSync(join(base, nodeDirectory, 'node'), '');
  mountImage(base, top, root, layer);
  for (const directory of systemDirectories.filter(isDirectory)) {
    mount(['--rbind', directory, join(top, directory)]);
    if (directory !== '/dev' && directory !== '/proc') makeReadOnly(join(top, directory));
  }
  bindMount({ source: process.execPath, target: `${nodeDirectory}/node`, readOnly: true }, top);
  for (const bind of ordered) bindMount(bind, top);
  return top;
}

/** Mounts the image's files read-only, or under a writable layer. */
function mountImage(base: string, top: string, root: string, layer: ExecOptions['layer']): void {
  if (layer.kind === 'none') {
    mount(['--bind', base, top]);
    makeReadOnly(top);
    return;
  }
  let directory = join(root, 'layer');
  if (layer.kind === 'memory') {
    mkdirSync(directory);
    mount(['-t', 'tmpfs', '-o', `mode=755,${sessionSize}`, 'tmpfs', directory]);
  } else directory = layer.path;
  const [upper, work] = [join(directory, 'upper'), join(directory, 'work')];
  for (const each of [upper, work]) mkdirSync(each, { recursive: true });
  const parts = `lowerdir=${base},upperdir=${upper},workdir=${work}`;
  mount(['-t', 'overlay', '-o', parts, 'overlay', top]);
}

/** Host directories that Apptainer mounts by default. */
function hostBinds({ contain, noMount }: ExecOptions): Bind[] {
  if (contain) return [];
  const found: Bind[] = [];
  const add = (name: string, path: string): void => {
    if (!noMount.has(name) && isDirectory(path)) found.push({ source: path, target: path, readOnly: false });
  };
  add('tmp', '/tmp');
  add('tmp', '/var/tmp');
  add('home', homedir());
  add('cwd', realpathSync(process.cwd()));
  // root's home, and anything inside the system directories, is mounted already
  return found.filter(
    ({ target }) => target !== '/' && !systemDirectories.some((each) => isIn(target, each)),
  );
}

/** With --contain, home and /tmp are empty; if they are not mounted at all, those of the image are visible. */
function containedTemporary(root: string, { contain, noMount, home, workDirectory }: ExecOptions): Bind[] {
  if (!contain) return [];
  const space = workDirectory ?? join(root, 'session');
  if (workDirectory === null) {
    mkdirSync(space);
    mount(['-t', 'tmpfs', '-o', `mode=755,${sessionSize}`, 'tmpfs', space]);
  }
  const wanted = [
    ['tmp', 'tmp', '/tmp'],
    ['tmp', 'var_tmp', '/var/tmp'],
    ['home', 'home', home ?? homedir()],
  ] as const;
  return wanted.flatMap(([name, directory, target]) => {
    if (noMount.has(name)) return [];
    const source = join(space, directory);
    mkdirSync(source, { recursive: true });
    return [{ source, target, readOnly: false }];
  });
}

function isIn(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** Creates the mount point of a bind. */
function makeTarget({ source, target }: Bind, base: string): void {
  const at = join(base, resolve('/', target));
  if (existsSync(at) || systemDirectories.some((directory) => isIn(resolve('/', target), directory))) return;
  if (isDirectory(source)) mkdirSync(at, { recursive: true });
  else {
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, '');
  }
}

function bindMount(bind: Bind, root: string): void {
  const { source, target, readOnly } = bind;
  const at = join(root, resolve('/', target));
  // an outer bind may have hidden the mount point of this one
  makeTarget(bind, root);
  mount(['--bind', source, at]);
  if (readOnly) makeReadOnly(at);
}

function makeReadOnly(at: string): void {
  // A user namespace may not drop the flags that the mount has already.
  const shown = spawnSync('findmnt', ['-n', '-o', 'OPTIONS', '--mountpoint', at], { encoding: 'utf8' });
  const flags = shown.stdout.trim().split(',');
  const locked = flags.filter((flag) => /^(nosuid|nodev|noexec|noatime|relatime|nodiratime)$/.test(flag));
  mount(['-o', ['remount', 'bind', 'ro', ...locked].join(','), at]);
}

function mount(args: readonly string[]): void {
  const result = spawnSync('mount', args, { encoding: 'utf8' });
  if (result.status !== 0)
    fatal(`container creation failed: mount ${args.join(' ')}: ${result.stderr.trim()}`);
}
