import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { containerHome } from '../apptainer/entry.js';
import { execArguments } from '../apptainer/exec-args.js';
import type { ImageFacts } from '../apptainer/inspect.js';
import { describeFailure, type CommandResult, type RunCommand } from '../base/command.js';
import type { Settings } from '../config/index.js';
import type { Finding } from './check.js';
import { capabilitiesFix, fuseFix, namespacesFix, squashfuseFix } from './checks/apptainer/privileges.js';
import { entryFileOf, type EntryFile } from './entry-file.js';
import { combine, fail, ok, quoted, skip, warn } from './check-result.js';

/** What a container found in its image. */
export interface ProbeResult {
  /** Whether the working directory exists. */
  directory: boolean;
  /** Whether the entry point's file exists and can be used; null if there is none to check. */
  entry: boolean | null;
}

/** Result of starting a container of an image. */
export type ImageLook =
  | {
      kind: 'seen';
      /** As in a job. */
      inside: ProbeResult;
      /** Without the host's mounts, which can hide files of the image; null if not needed. */
      unhidden: ProbeResult | null;
      /** The runtime unpacked the whole image first. */
      unpacked: boolean;
    }
  /** The container started, but the image has no shell to check it from inside. */
  | { kind: 'no shell'; unpacked: boolean }
  | { kind: 'failed'; result: CommandResult };

/**
 * Prints the nonce ($1), and tests the working directory ($2) and the entry point ($4), which must be executable (`x`) or
 * readable (`r`, $3). Without an entry point, the last two are empty.
 */
const script = `echo "$1 started"
if [ -d "$2" ]; then echo "$1 directory"; fi
if [ -n "$4" ] && [ "-$3" "$4" ]; then echo "$1 entry"; fi`;

export interface ImageLookRequest {
  path: string;
  facts: ImageFacts;
  settings: Settings['apptainer'];
  run: RunCommand;
}

/**
 * Starts a container of an image as a job does, with the operator's options. Only output with the nonce counts: Apptainer uses
 * the same exit codes as programs, and writes to its container's standard output.
 */
export async function lookIntoImage({ path, facts, settings, run }: ImageLookRequest): Promise<ImageLook> {
  const nonce = `dsa-slurm-${randomBytes(8).toString('hex')}`;
  const entry = entryFileOf(facts, settings);
  const directory = facts.workingDirectory ?? settings.workingDirectory ?? '/';
  const words = [
    nonce,
    directory,
    ...(entry === null ? ['', ''] : [entry.use === 'execute' ? 'x' : 'r', entry.file]),
  ];
  const ask = async (options: readonly string[]): Promise<CommandResult> => {
    const args = execArguments({
      sif: path,
      workingDirectory: '/',
      binds: [],
      gpu: false,
      isolation: { off: new Set(), home: containerHome(facts, {}), replacesEnvironment: false, space: null },
      // as in a job, where the batch script provides /tmp
      options: ['--no-mount', 'tmp', ...options],
    });
    return run(settings.command, ['exec', ...args, 'sh', '-c', script, 'sh', ...words]);
  };
  const result = await ask(settings.options);
  const inside = answerIn(result, nonce, entry);
  const unpacked = result.kind === 'exited' && /Converting SIF file to temporary sandbox/.test(result.stderr);
  if (inside === null) {
    const isMissing =
      result.kind === 'exited' && /FATAL: +"sh": executable file not found/.test(result.stderr);
    return isMissing ? { kind: 'no shell', unpacked } : { kind: 'failed', result };
  }
  if (inside.directory && inside.entry !== false) return { kind: 'seen', inside, unhidden: null, unpacked };
  const unhidden = answerIn(await ask(['--no-mount', 'home,tmp,cwd,bind-paths']), nonce, entry);
  return { kind: 'seen', inside, unhidden, unpacked };
}

function answerIn(result: CommandResult, nonce: string, entry: EntryFile | null): ProbeResult | null {
  const lines = result.kind === 'exited' ? result.stdout.split('\n') : [];
  if (!lines.includes(`${nonce} started`)) return null;
  return {
    directory: lines.includes(`${nonce} directory`),
    entry: entry === null ? null : lines.includes(`${nonce} entry`),
  };
}

/**
 * Why no container starts on a host, with the fix; null for errors of a single image and unknown errors.
 * @param stderr the runtime's standard error
 */
export function siteProblem(stderr: string, profile: string): Finding | null {
  if (/\/dev\/fuse: (Permission denied|Operation not permitted)/.test(stderr)) {
    return fail('No container starts: this user may not open /dev/fuse.', fuseFix);
  }
  if (/\/dev\/fuse: No such|fuse: device not found/.test(stderr)) {
    return fail('No container starts: there is no /dev/fuse.', 'modprobe fuse   # as root');
  }
  if (
    /Failed to create user namespace|[Uu]ser namespaces? .*(disabled|not (enabled|permitted|supported))/.test(
      stderr,
    )
  ) {
    return fail('No container starts: this user may not create user namespaces.', namespacesFix);
  }
  if (/Requesting capability set/.test(stderr)) {
    return fail(
      'No container starts: Apptainer requests all capabilities, and this root user lacks some.',
      capabilitiesFix(profile),
    );
  }
  return null;
}

/** Judges an image by a container of it. */
export function judgeLook(
  name: string,
  path: string,
  look: ImageLook,
  { facts, settings, profile }: { facts: ImageFacts; settings: Settings['apptainer']; profile: string },
): Finding {
  const entry = entryFileOf(facts, settings);
  const directory = facts.workingDirectory ?? settings.workingDirectory ?? '/';
  switch (look.kind) {
    case 'no shell':
      return ok(`${name}: starts; its entry point was not checked because it has no shell`);
    case 'failed':
      return siteProblem(stderrOf(look.result), profile) === null
        ? fail(
            `${name}: its container does not start: ${errorOf(look.result)}`,
            tryCommand(settings.command, path),
          )
        : skip(`${name}: not checked, because no container starts on this host (see apptainer.start)`);
    case 'seen':
      break;
  }
  const { inside, unhidden } = look;
  const findings: Finding[] = [];
  // like Docker, the worker creates a missing working directory for each run
  if (!inside.directory && unhidden?.directory === true) {
    findings.push(hidden(`${name}: its working directory ${directory}`));
  }
  if (entry !== null && inside.entry === false) {
    const { file, use } = entry;
    findings.push(
      unhidden?.entry === true
        ? hidden(`${name}: its entry point ${file}`)
        : fail(
            `${name}: the entry point ${file} is missing or cannot be ${use === 'execute' ? 'executed' : 'read'}.`,
            `${settings.command} exec ${quoted(path)} ls -l ${quoted(posix.dirname(file))}   # pull or build the image again`,
          ),
    );
  }
  if (findings.length > 0) return combine(findings);
  const made = inside.directory ? '' : `; its working directory ${directory} is created for each run`;
  return ok(`${name}: starts${entry === null ? '' : `, its entry point ${entry.file} exists`}${made}`);
}

function hidden(what: string): Finding {
  return fail(
    `${what} is hidden by a bind mount of the host.`,
    'Remove that bind from apptainer.options, or from "bind path" in apptainer.conf.',
  );
}

/** Judges the host by starting a container. */
export function judgeStart(
  name: string,
  path: string,
  look: ImageLook,
  settings: Settings['apptainer'],
  profile: string,
): Finding {
  if (look.kind === 'failed') {
    return (
      siteProblem(stderrOf(look.result), profile) ??
      fail(
        `A container of ${name} does not start: ${errorOf(look.result)}`,
        tryCommand(settings.command, path),
      )
    );
  }
  if (look.unpacked) {
    return warn(
      `A container of ${name} started, but the whole image was unpacked first, as it will be for every job: squashfuse is missing.`,
      squashfuseFix,
    );
  }
  return ok(`a container of ${name} started`);
}

function tryCommand(command: string, path: string): string {
  return `${command} exec ${quoted(path)} true   # as the worker's user`;
}

export function stderrOf(result: CommandResult): string {
  return result.kind === 'exited' || result.kind === 'killed' ? result.stderr : '';
}

/** Apptainer's error message, without the INFO and WARNING lines before it. */
function errorOf(result: CommandResult): string {
  if (result.kind !== 'exited') return describeFailure(result);
  const lines = result.stderr
    .replaceAll(/\p{Cc}\[[\d;]*m/gu, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(INFO|WARNING|DEBUG|VERBOSE)\b/.test(line));
  const message = lines.slice(-3).join(' ').trim().slice(0, 400);
  return `exit code ${result.exitCode}${message === '' ? '' : `, ${message}`}`;
}
