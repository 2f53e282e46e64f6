/**
 * A stand-in for Apptainer on machines that have none: the same command line, as far as analyses use it, over
 * "images" that are JSON files (see ./images.ts). It is a program of its own that imports nothing of ours, because it
 * is started once for every job: `node apptainer-stand-in.js <root directory> <isolation> <apptainer's arguments>`.
 *
 * With isolation `namespace` it runs inside `unshare --mount` (the wrapper saw to that): the image's files and the
 * binds are real mounts at their container paths, read-only where asked. With `paths` nothing can be mounted, and
 * container paths in the arguments are replaced by host paths instead.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

interface Bind {
  source: string;
  target: string;
  readOnly: boolean;
}

interface ExecOptions {
  workingDirectory: string | null;
  binds: Bind[];
  env: Record<string, string>;
  cleanEnv: boolean;
}

interface Image {
  format: string;
  labels: Record<string, string>;
  config: { WorkingDir?: string; Env?: string[] };
  files: Record<string, { text: string; executable: boolean }>;
}

/** Directories of this machine that every container sees, read-only where they can be. */
const systemDirectories = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/etc', '/dev', '/proc'];

/** Where the container finds the Node that runs this. */
const nodeDirectory = '/opt/practice-node';

const flagsWithValue = new Set(['--home', '-H', '--workdir', '-W', '--scratch', '-S', '--overlay', '-o']);
flagsWithValue.add('--network').add('--hostname').add('--dns').add('--security').add('--no-mount');

function main([root = '', isolation = '', ...args]: string[]): void {
  while (['-q', '--quiet', '-s', '--silent', '-v', '--verbose'].includes(args[0] ?? '')) args.shift();
  const [command = '', ...rest] = args;
  if (command === '--version') return print('apptainer version 1.3.4-stand-in\n');
  if (command === 'version') return print('1.3.4-stand-in\n');
  if (command === 'inspect') return inspect(rest);
  if (command === 'sif') return sif(rest);
  if (command === 'exec') return exec(root, isolation, rest);
  if (command === 'pull') return pull(rest);
  fatal(`unknown command "${command}" for "apptainer"`, 1);
}

function inspect(args: readonly string[]): void {
  const file = args.find((arg) => !arg.startsWith('-')) ?? fatal('requires an image');
  const attributes = { labels: readImage(file).labels };
  print(`${JSON.stringify({ data: { attributes }, type: 'container' }, null, '\t')}\n`);
}

/** The table of a SIF that Apptainer made from a docker image. */
function sif([verb = '', ...rest]: readonly string[]): void {
  if (verb === 'list') {
    const image = readImage(rest[0] ?? '');
    const sizes = [60, configText(image).length, metadataText(image).length, 1_228_800];
    const types = ['Def.FILE', 'JSON.Generic', 'JSON.Generic', 'FS (Squashfs/*System/amd64)'];
    let start = 32_768;
    const rows = types.map((type, index) => {
      const end = start + (sizes[index] ?? 0);
      const position = `${start}-${end}`;
      start = Math.ceil(end / 4_096) * 4_096;
      return `${String(index + 1).padEnd(5)}|1       |NONE    |${position.padEnd(26)}|${type}`;
    });
    const line = '-'.repeat(78);
    const head = 'ID   |GROUP   |LINK    |SIF POSITION (start-end)  |TYPE';
    return print(`${[line, head, line, ...rows].join('\n')}\n`);
  }
  if (verb === 'dump') {
    const image = readImage(rest[1] ?? '');
    const objects: Record<string, string> = {
      1: 'bootstrap: docker\nfrom: dsa-slurm practice image\n',
      2: configText(image),
      3: metadataText(image),
    };
    return print(objects[rest[0] ?? ''] ?? fatal(`no descriptor with id ${rest[0]}`));
  }
  fatal(`unknown command "${verb}" for "apptainer sif"`, 1);
}

function configText(image: Image): string {
  return JSON.stringify(image.config);
}

function metadataText(image: Image): string {
  return JSON.stringify({ data: { attributes: { labels: image.labels } }, type: 'container' });
}

/**
 * There is no registry to be reached here: a directory stands in for one, whose files are images under the name that
 * their SIF has. Nothing is converted and nothing is fetched over a network.
 */
function pull(args: readonly string[]): void {
  const registry = process.env['PRACTICE_REGISTRY'] ?? fatal('this stand-in has no registry to pull from');
  const [target = '', source = ''] = args.filter((arg) => !arg.startsWith('-'));
  const name = source.replace(/^docker:\/\//, '');
  const file = join(registry, `${name.replaceAll(/[/:@]/g, '_')}.sif`);
  if (name === source || !existsSync(file)) {
    fatal(`While making image from oci registry: error fetching image ${source}: manifest unknown`);
  }
  process.stderr.write(`INFO:    Fetching ${source}\n`);
  const content = readFileSync(file, 'utf8');
  writeFileSync(target, content);
}

function exec(root: string, isolation: string, args: readonly string[]): void {
  const { options, rest } = parseExec(args);
  const [file = '', ...command] = rest;
  if (command.length === 0) fatal('exec requires an image and a command');
  const image = readImage(file);
  const binds = [...environmentBinds(), ...options.binds];
  for (const { source } of binds) {
    if (!existsSync(source)) fatal(`container creation failed: mount source ${source} doesn't exist`);
  }
  const pwd = options.workingDirectory ?? image.config.WorkingDir ?? '/';
  const env = containerEnv(image, options);
  if (isolation === 'namespace') {
    buildRoot(root, image, binds);
    const inside = resolve('/', pwd);
    if (!isDirectory(join(root, inside))) fatal(`chdir ${inside}: no such file or directory`);
    run('/usr/bin/unshare', [`--root=${root}`, `--wd=${inside}`, '--', ...command], env, '/');
  } else {
    const files = unpack(root, basename(file), image);
    const maps = [...binds, ...files].sort((a, b) => b.target.length - a.target.length);
    const [program = '', ...programArgs] = command.map((arg) => hostPath(arg, maps));
    run(
      program,
      programArgs,
      { ...env, PATH: `${dirname(process.execPath)}:${env['PATH']}` },
      hostPath(pwd, maps),
    );
  }
}

function parseExec(args: readonly string[]): { options: ExecOptions; rest: string[] } {
  const options: ExecOptions = { workingDirectory: null, binds: [], env: {}, cleanEnv: false };
  const rest = [...args];
  while (rest[0]?.startsWith('-') === true) {
    const flag = rest.shift() ?? '';
    if (flag === '--') break;
    const [name, inline] = flag.startsWith('--') ? split(flag, '=') : [flag, undefined];
    const value = () => inline ?? rest.shift() ?? fatal(`flag needs an argument: ${name}`);
    if (name === '--pwd' || name === '--cwd') options.workingDirectory = value();
    else if (name === '--bind' || name === '-B') options.binds.push(...value().split(',').map(parseBind));
    else if (name === '--mount') options.binds.push(parseMount(value()));
    else if (name === '--env') {
      for (const pair of value().split(',')) options.env[split(pair, '=')[0]] = split(pair, '=')[1] ?? '';
    } else if (name === '--cleanenv' || name === '-e' || name === '--containall') options.cleanEnv = true;
    else if (flagsWithValue.has(name)) value();
    // Everything else is a switch without a meaning here: --nv, --writable-tmpfs, --no-home …
  }
  return { options, rest };
}

/** `source[:target[:options]]` */
function parseBind(text: string): Bind {
  const [source = '', target, mode] = text.split(':');
  return { source, target: target === undefined || target === '' ? source : target, readOnly: mode === 'ro' };
}

/** One CSV record of `key` and `key=value`; the keys are Apptainer's. */
function parseMount(text: string): Bind {
  const bind = { source: '', target: '', readOnly: false };
  for (const [, quoted, plain] of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    const [key, value = ''] = split(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'), '=');
    if (key === 'source' || key === 'src') bind.source = value;
    else if (key === 'destination' || key === 'dst' || key === 'target') bind.target = value;
    else if (key === 'ro' || key === 'readonly') bind.readOnly = true;
    else if (key !== 'type' || value !== 'bind') fatal(`invalid key "${key}" in mount specification`);
  }
  if (bind.source === '' || bind.target === '') fatal('mounts must have a source and a destination');
  return bind;
}

function environmentBinds(): Bind[] {
  const text = process.env['APPTAINER_BIND'] ?? process.env['SINGULARITY_BIND'] ?? '';
  return text.split(',').filter(Boolean).map(parseBind);
}

function containerEnv(image: Image, { env, cleanEnv }: ExecOptions): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value = ''] of Object.entries(cleanEnv ? {} : process.env)) {
    if (!/^(APPTAINER|SINGULARITY)(ENV)?_/.test(name)) result[name] = value;
  }
  for (const pair of image.config.Env ?? []) result[split(pair, '=')[0]] = split(pair, '=')[1] ?? '';
  for (const [name, value = ''] of Object.entries(process.env)) {
    const inner = /^(?:APPTAINER|SINGULARITY)ENV_(.+)$/.exec(name)?.[1];
    if (inner !== undefined) result[inner] = value;
  }
  return { ...result, ...env, PATH: `${nodeDirectory}:/usr/bin:/bin`, APPTAINER_NAME: 'stand-in' };
}

/** The container's file system, seen by this process and its children only. */
function buildRoot(root: string, image: Image, binds: readonly Bind[]): void {
  mount(['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', root]);
  for (const directory of systemDirectories.filter(isDirectory)) {
    mkdirSync(join(root, directory), { recursive: true });
    mount(['--rbind', directory, join(root, directory)]);
    if (directory !== '/dev' && directory !== '/proc') makeReadOnly(join(root, directory));
  }
  mkdirSync(join(root, 'tmp'), { mode: 0o1777 });
  bindMount({ source: process.execPath, target: `${nodeDirectory}/node`, readOnly: true }, root);
  for (const [path, file] of Object.entries(image.files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), file.text, { mode: file.executable ? 0o755 : 0o644 });
  }
  // Outer directories first, so that no bind hides another.
  const ordered = [...binds].sort((a, b) => a.target.length - b.target.length);
  for (const bind of ordered) bindMount(bind, root);
}

function bindMount({ source, target, readOnly }: Bind, root: string): void {
  const at = join(root, resolve('/', target));
  if (isDirectory(source)) mkdirSync(at, { recursive: true });
  else if (!existsSync(at)) {
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, '');
  }
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

/** For machines where nothing can be mounted: the image's files as they are, and where each directory went. */
function unpack(root: string, name: string, image: Image): Bind[] {
  const base = join(root, name);
  for (const [path, file] of Object.entries(image.files)) {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    if (!existsSync(join(base, path))) {
      writeFileSync(join(base, path), file.text, { mode: file.executable ? 0o755 : 0o644 });
    }
  }
  const tops = new Set(Object.keys(image.files).map((path) => `/${path.split('/')[1] ?? ''}`));
  return [...tops].map((top) => ({ source: join(base, top), target: top, readOnly: true }));
}

function hostPath(text: string, maps: readonly Bind[]): string {
  const map = maps.find(({ target }) => text === target || text.startsWith(`${target}/`));
  return map === undefined ? text : map.source + text.slice(map.target.length);
}

function run(program: string, args: readonly string[], env: Record<string, string>, cwd: string): void {
  const child = spawn(program, args, { env, cwd, stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  child.once('error', (error) => fatal(String(error)));
  child.once('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 255;
    else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

function readImage(file: string): Image {
  try {
    const image = JSON.parse(readFileSync(file, 'utf8')) as Image;
    if (image.format === 'dsa-slurm practice image 1') return image;
  } catch {
    // said below
  }
  return fatal(`could not open image ${resolve(file)}: image format not recognized`);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function split(text: string, at: string): [string, string | undefined] {
  const index = text.indexOf(at);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

function print(text: string): void {
  process.stdout.write(text);
}

function fatal(message: string, code = 255): never {
  process.stderr.write(`FATAL:   ${message}\n`);
  process.exit(code);
}

main(process.argv.slice(2));
