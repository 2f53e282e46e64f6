import { fatal, split } from './common.js';

export interface Bind {
  source: string;
  target: string;
  readOnly: boolean;
}

export interface ExecOptions {
  workingDirectory: string | null;
  binds: Bind[];
  env: Record<string, string>;
  cleanEnv: boolean;
  /** Home and /tmp of the container are empty, and no host directories are mounted. */
  contain: boolean;
  /** What not to mount: `home`, `tmp`, `cwd`. */
  noMount: Set<string>;
  /** `HOME` in the container; null: the user's. */
  home: string | null;
  /** A shell evaluates the values of environment variables. */
  evaluate: boolean;
  keepUmask: boolean;
  /** The container has its own process namespace, which ends with its first process. */
  ownProcesses: boolean;
  /** Writable layer over the image's files: none, 64 MiB of memory, or a directory. */
  layer: { kind: 'none' } | { kind: 'memory' } | { kind: 'directory'; path: string };
  /** Holds the container's /tmp; null: memory. */
  workDirectory: string | null;
}

const flagsWithValue = new Set(['--scratch', '-S', '--network', '--hostname', '--dns', '--security']);

export function parseExec(args: readonly string[]): { options: ExecOptions; rest: string[] } {
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
        // all other flags have no effect here: --nv, --ipc …
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

export function environmentBinds(): Bind[] {
  const text = process.env['APPTAINER_BIND'] ?? process.env['SINGULARITY_BIND'] ?? '';
  return text.split(',').filter(Boolean).map(parseBind);
}
