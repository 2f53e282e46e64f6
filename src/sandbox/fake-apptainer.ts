/**
 * A stand-in for Apptainer on machines that have none: the same command line, as far as analyses use it, over
 * "images" that are JSON files (see ./images.ts). It is a program of its own that imports nothing of ours, because it
 * is started once for every job: `node fake-apptainer.js <root directory> <isolation> <apptainer's arguments>`.
 *
 * With isolation `namespace` it runs inside `unshare --mount` (the wrapper arranges that): the image's files and the
 * binds are real mounts at their container paths, read-only where asked. With `paths` nothing can be mounted, and
 * container paths in the arguments are replaced by host paths instead.
 *
 * It is as open as Apptainer (measured with 1.4.5): without options a container sees the home, the working directory and
 * /tmp of the host, read-write, has the environment of its caller, and a shell evaluates the values of `APPTAINERENV_*`.
 * Were the stand-in stricter, no test would notice an option that is missing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { constants, homedir } from 'node:os';
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
  /** Home and /tmp of the container are empty, and nothing of the host is mounted. */
  contain: boolean;
  /** What is not to be mounted: `home`, `tmp`, `cwd`. */
  noMount: Set<string>;
  /** `HOME` in the container; null: that of the user. */
  home: string | null;
  /** A shell evaluates the values of environment variables. */
  evaluate: boolean;
  keepUmask: boolean;
  /** Processes of the container are in a namespace of their own, which ends with its first one. */
  ownProcesses: boolean;
  /** Where the image's files can be written to: nowhere, in 64 MiB of memory, or in a directory. */
  layer: { kind: 'none' } | { kind: 'memory' } | { kind: 'directory'; path: string };
  /** Holds the container's /tmp; null: memory. */
  workDirectory: string | null;
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
const nodeDirectory = '/opt/sandbox-node';

const flagsWithValue = new Set(['--scratch', '-S', '--network', '--hostname', '--dns', '--security']);

/** What Apptainer gives writable memory at most (`sessiondir max size`), as an option of mount. */
const sessionSize = 'size=64m';

/** The file of a SIF that sets the environment of an OCI image. */
const imageEnvironmentFile = '/.singularity.d/env/10-docker2singularity.sh';

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
      1: 'bootstrap: docker\nfrom: dsa-slurm demo image\n',
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
  const registry = process.env['SANDBOX_REGISTRY'] ?? fatal('this stand-in has no registry to pull from');
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
  const { workDirectory } = options;
  if (workDirectory !== null && !isDirectory(workDirectory)) {
    fatal(`container creation failed: failed to create workdir: stat ${workDirectory}: no such file`);
  }
  const pwd = options.workingDirectory ?? image.config.WorkingDir ?? '/';
  const env = containerEnv(image, binds, options);
  if (!options.keepUmask) process.umask(0o022);
  if (isolation === 'namespace') {
    const top = buildRoot(root, image, binds, options);
    let inside = resolve('/', pwd);
    if (!isDirectory(join(top, inside))) {
      if (options.workingDirectory !== null)
        fatal(`failed to set working directory: chdir ${inside}: no such file or directory`);
      inside = '/';
    }
    const first = options.ownProcesses
      ? ['--pid', '--fork', '--kill-child', '--', '/bin/bash', '-c', firstProcess, 'init', '/usr/bin/unshare']
      : [];
    run('/usr/bin/unshare', [...first, `--root=${top}`, `--wd=${inside}`, '--', ...command], env, '/');
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
  const options: ExecOptions = {
    workingDirectory: null,
    binds: [],
    env: {},
    cleanEnv: false,
    contain: false,
    noMount: new Set(),
    home: null,
    evaluate: true,
    keepUmask: true,
    ownProcesses: false,
    layer: { kind: 'none' },
    workDirectory: null,
  };
  const rest = [...args];
  while (rest[0]?.startsWith('-') === true) {
    const flag = rest.shift() ?? '';
    if (flag === '--') break;
    const [name, inline] = flag.startsWith('--') ? split(flag, '=') : [flag, undefined];
    const value = () => inline ?? rest.shift() ?? fatal(`flag needs an argument: ${name}`);
    switch (name) {
      case '--pwd':
      case '--cwd':
        options.workingDirectory = value();
        break;
      case '--bind':
      case '-B':
        options.binds.push(...value().split(',').map(parseBind));
        break;
      case '--mount':
        options.binds.push(parseMount(value()));
        break;
      case '--env':
        for (const pair of value().split(',')) options.env[split(pair, '=')[0]] = split(pair, '=')[1] ?? '';
        break;
      case '--cleanenv':
      case '-e':
        options.cleanEnv = true;
        break;
      case '--contain':
      case '-c':
        options.contain = true;
        break;
      case '--containall':
      case '-C':
        options.contain = true;
        options.cleanEnv = true;
        options.ownProcesses = true;
        break;
      case '--pid':
      case '-p':
        options.ownProcesses = true;
        break;
      case '--no-home':
        options.noMount.add('home');
        break;
      case '--no-mount':
        for (const each of value().split(',')) options.noMount.add(each);
        break;
      case '--home':
      case '-H':
        options.home = value();
        break;
      case '--no-eval':
        options.evaluate = false;
        break;
      case '--no-umask':
        options.keepUmask = false;
        break;
      case '--writable-tmpfs':
        options.layer = { kind: 'memory' };
        break;
      case '--overlay':
      case '-o':
        options.layer = { kind: 'directory', path: value() };
        break;
      case '--workdir':
      case '-W':
        options.workDirectory = value();
        break;
      default:
        // everything else is a switch without a meaning here: --nv, --ipc …
        if (flagsWithValue.has(name)) value();
    }
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

function containerEnv(
  image: Image,
  binds: readonly Bind[],
  { env, cleanEnv, evaluate, home }: ExecOptions,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value = ''] of Object.entries(cleanEnv ? {} : process.env)) {
    if (!/^(APPTAINER|SINGULARITY)(ENV)?_/.test(name)) result[name] = value;
  }
  if (!binds.some(({ target }) => target === imageEnvironmentFile)) Object.assign(result, imageEnv(image));
  for (const [name, value = ''] of Object.entries(process.env)) {
    const inner = /^(?:APPTAINER|SINGULARITY)ENV_(.+)$/.exec(name)?.[1];
    if (inner === undefined) continue;
    if (inner === 'HOME') {
      process.stderr.write(
        'WARNING: Overriding HOME environment variable with APPTAINERENV_HOME is not permitted\n',
      );
    } else result[inner] = evaluate ? evaluated(value) : value;
  }
  return {
    ...result,
    ...env,
    HOME: home ?? homedir(),
    PATH: `${nodeDirectory}:${result['PATH'] ?? '/usr/bin:/bin'}`,
    APPTAINER_NAME: 'stand-in',
  };
}

/** `Env` of an OCI image as the shell script in a SIF has it: with its faults, which Apptainer 1.4.5 has. */
function imageEnv({ config: { Env = [] } }: Image): Record<string, string> {
  if (Env.some((pair) => pair.includes('`'))) {
    process.stderr.write(`source: ${imageEnvironmentFile}:4:57: reached EOF without closing quote\n`);
    return {};
  }
  return Object.fromEntries(
    Env.map((pair) => {
      const [name, value = ''] = split(pair, '=');
      const broken = value
        .replaceAll('"', '\\"')
        .replaceAll(/\$(\w+)/g, (_all, variable: string) => `\\${process.env[variable] ?? ''}`);
      return [name, broken];
    }),
  );
}

/** What a shell makes of a value in double quotes, its own quotes kept. */
function evaluated(value: string): string {
  const script = `printf %s "${value.replaceAll('"', '\\"')}"`;
  const shell = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
  return shell.status === 0 ? shell.stdout : value;
}

/**
 * The container's file system, seen by this process and its children only.
 * @returns where it is
 */
function buildRoot(root: string, image: Image, binds: readonly Bind[], options: ExecOptions): string {
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

/** Puts the image's files in place: read-only, or under a layer that takes what is written. */
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

/** What Apptainer mounts of the host unless it is told not to. */
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
  // that of root, and what the system's own directories hold, is there already
  return found.filter(
    ({ target }) => target !== '/' && !systemDirectories.some((each) => isIn(target, each)),
  );
}

/** With --contain home and /tmp are empty, unless they are not mounted at all: then they are those of the image. */
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

/** Makes what a bind is mounted on. */
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
  // an outer bind has hidden what was made for this one
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

/**
 * Number 1 of a container's own processes, as Apptainer has one: hands signals on, which the kernel would keep from a
 * number 1 that does not expect them, and waits for the program.
 */
const firstProcess = `
for signal in TERM INT HUP USR1 USR2; do trap "again=1; kill -s $signal \\$child" $signal; done
"$@" <&0 &
child=$!
again=1
while [ -n "$again" ]; do again=; wait $child; code=$?; done 2>/dev/null
exit $code
`;

const setpriv = '/usr/bin/setpriv';

function run(program: string, args: readonly string[], env: Record<string, string>, cwd: string): void {
  const hasFirst = args.includes('--pid');
  // Slurm kills what it can see of a job. The container's processes are not to outlive this one, as with Apptainer.
  const [file, vector] =
    hasFirst && existsSync(setpriv)
      ? [setpriv, ['--pdeathsig', 'KILL', '--', program, ...args]]
      : [program, [...args]];
  const child = spawn(file, vector, { env, cwd, stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => {
      // unshare keeps signals from the process that it waits for
      if (hasFirst) for (const pid of childrenOf(child.pid ?? 0)) process.kill(pid, signal);
      else child.kill(signal);
    });
  }
  child.once('error', (error) => fatal(String(error)));
  child.once('exit', (code, signal) => {
    const name = signal ?? signalOf(code ?? 255);
    if (name === null) process.exitCode = code ?? 255;
    else {
      process.removeAllListeners(name);
      process.kill(process.pid, name);
    }
  });
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** The signal that a shell says a program ended by. */
function signalOf(code: number): NodeJS.Signals | null {
  const found = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return code > 128 && found !== undefined ? (found[0] as NodeJS.Signals) : null;
}

function readImage(file: string): Image {
  try {
    const image = JSON.parse(readFileSync(file, 'utf8')) as Image;
    if (image.format === 'dsa-slurm fake image 1') return image;
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
