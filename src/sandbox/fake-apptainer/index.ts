/**
 * A fake Apptainer for machines without the real one: the same command line, as far as analyses use it, for "images" that
 * are JSON files (see ../images.ts). It is bundled into one small program, because it is started once for every job:
 * `node fake-apptainer.js <root directory> <isolation> <apptainer's arguments>`.
 *
 * With isolation `namespace` the wrapper runs it inside `unshare --mount`: the image's files and the binds are real mounts
 * at their container paths, read-only if requested. With `paths` nothing can be mounted, and container paths in the
 * arguments are replaced by host paths.
 *
 * It is as open as Apptainer (measured with 1.4.5): without options a container sees the home, the working directory and
 * /tmp of the host, read-write, has the environment of its caller, and a shell evaluates the values of `APPTAINERENV_*`.
 * If the fake were stricter, no test would notice a missing option.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fatal, isDirectory, print } from './common.js';
import { containerEnv } from './environment.js';
import { environmentBinds, parseExec } from './exec-options.js';
import { hostPath, unpack } from './host-paths.js';
import { configText, metadataText, readImage } from './image.js';
import { buildRoot } from './mounts.js';
import { firstProcess, runFakeProgram } from './run-program.js';

function main([root = '', isolation = '', ...args]: string[]): void {
  while (['-q', '--quiet', '-s', '--silent', '-v', '--verbose'].includes(args[0] ?? '')) args.shift();
  const [command = '', ...rest] = args;
  if (command === '--version') return print('apptainer version 1.3.4-fake\n');
  if (command === 'version') return print('1.3.4-fake\n');
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

/**
 * The registry is a directory of images under their SIF file names. Nothing is converted or fetched over a network.
 */
function pull(args: readonly string[]): void {
  const registry =
    process.env['SANDBOX_REGISTRY'] ?? fatal('the fake Apptainer has no registry to pull from');
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
    // unshare of util-linux 2.36 has its child ignore these signals, and a shell cannot trap what it ignores from the start
    const heeding = ['/usr/bin/env', '--default-signal=INT,TERM'];
    const first = options.ownProcesses
      ? ['--pid', '--fork', '--kill-child', '--', ...heeding, '/bin/bash', '-c', firstProcess, 'init']
      : [];
    if (options.ownProcesses) first.push(join(top, 'proc'), '/usr/bin/unshare');
    runFakeProgram(
      '/usr/bin/unshare',
      [...first, `--root=${top}`, `--wd=${inside}`, '--', ...command],
      env,
      '/',
    );
  } else {
    const files = unpack(root, basename(file), image);
    const maps = [...binds, ...files].sort((a, b) => b.target.length - a.target.length);
    const [program = '', ...programArgs] = command.map((arg) => hostPath(arg, maps));
    runFakeProgram(
      program,
      programArgs,
      { ...env, PATH: `${dirname(process.execPath)}:${env['PATH']}` },
      hostPath(pwd, maps),
    );
  }
}

main(process.argv.slice(2));
