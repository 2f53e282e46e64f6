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

/** What a container of an image found in it. */
export interface ProbeResult {
  /** Whether the working directory is there. */
  directory: boolean;
  /** Whether the file that the entry point begins with is there and can be used; null if there is no such file. */
  entry: boolean | null;
}

/** What came of starting a container of an image. */
export type ImageLook =
  | {
      kind: 'seen';
      /** As a job sees it. */
      inside: ProbeResult;
      /** The same without the mounts of the host that can hide it; null where nobody had to look. */
      unhidden: ProbeResult | null;
      /** The whole image was unpacked for it. */
      unpacked: boolean;
    }
  /** The container started, and the image has no shell that could look around. */
  | { kind: 'no shell'; unpacked: boolean }
  | { kind: 'failed'; result: CommandResult };

/**
 * Says that it runs (1), and looks for the working directory (2) and the entry point (4), which is executed (`x`) or read
 * (`r`) (3). Without an entry point the last two are empty.
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
 * Starts a container of an image as a job does, with the operator's own options. Only an answer with a nonce counts:
 * Apptainer fails with the exit codes that programs use, too, and writes to the standard output of its container.
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
      // the batch script sees to it that /tmp is that of the image
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
 * Why no container of any image starts on a host, with its cure; null for trouble of one image, or of an unknown kind. Pure.
 * @param said what the runtime wrote on its standard error
 */
export function siteTrouble(said: string, profile: string): Finding | null {
  if (/\/dev\/fuse: (Permission denied|Operation not permitted)/.test(said)) {
    return fail('No container starts: this user may not open /dev/fuse.', fuseFix);
  }
  if (/\/dev\/fuse: No such|fuse: device not found/.test(said)) {
    return fail('No container starts: there is no /dev/fuse.', 'modprobe fuse   # as root');
  }
  if (
    /Failed to create user namespace|[Uu]ser namespaces? .*(disabled|not (enabled|permitted|supported))/.test(
      said,
    )
  ) {
    return fail('No container starts: this user may not create user namespaces.', namespacesFix);
  }
  if (/Requesting capability set/.test(said)) {
    return fail(
      'No container starts: this is root without all capabilities, and Apptainer asks for all of them.',
      capabilitiesFix(profile),
    );
  }
  return null;
}

/** What a look into an image means for its runs. Pure. */
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
      return ok(`${name}: starts; it has no shell, so its entry point was not looked at`);
    case 'failed':
      return siteTrouble(saidBy(look.result), profile) === null
        ? fail(
            `${name}: no container of it starts: ${lastWords(look.result)}`,
            whatToTry(settings.command, path),
          )
        : skip(`${name}: not judged, because no container starts here (apptainer.start)`);
    case 'seen':
      break;
  }
  const { inside, unhidden } = look;
  const findings: Finding[] = [];
  // a working directory that the image lacks is made for each run, as Docker does
  if (!inside.directory && unhidden?.directory === true) {
    findings.push(hidden(`${name}: its working directory ${directory}`));
  }
  if (entry !== null && inside.entry === false) {
    const { file, use } = entry;
    findings.push(
      unhidden?.entry === true
        ? hidden(`${name}: its entry point ${file}`)
        : fail(
            `${name}: the entry point ${file} is not there, or cannot be ${use === 'execute' ? 'executed' : 'read'}.`,
            `${settings.command} exec ${quoted(path)} ls -l ${quoted(posix.dirname(file))}   # pull or build the image again`,
          ),
    );
  }
  if (findings.length > 0) return combine(findings);
  const made = inside.directory ? '' : `; its working directory ${directory} is made for each run`;
  return ok(`${name}: starts${entry === null ? '' : `, its entry point ${entry.file} is there`}${made}`);
}

function hidden(what: string): Finding {
  return fail(
    `${what} is in the image, but something of the host is mounted over it.`,
    'Take that bind out of apptainer.options, or out of "bind path" in the site\'s apptainer.conf.',
  );
}

/** How starting containers went, for the site as a whole. Pure. */
export function judgeStart(
  name: string,
  path: string,
  look: ImageLook,
  settings: Settings['apptainer'],
  profile: string,
): Finding {
  if (look.kind === 'failed') {
    return (
      siteTrouble(saidBy(look.result), profile) ??
      fail(`No container of ${name} starts: ${lastWords(look.result)}`, whatToTry(settings.command, path))
    );
  }
  if (look.unpacked) {
    return warn(
      `A container of ${name} started, but the whole image was unpacked for it, as for every job: there is no squashfuse.`,
      squashfuseFix,
    );
  }
  return ok(`a container of ${name} started`);
}

function whatToTry(command: string, path: string): string {
  return `${command} exec ${quoted(path)} true   # as the user of the worker`;
}

export function saidBy(result: CommandResult): string {
  return result.kind === 'exited' || result.kind === 'killed' ? result.stderr : '';
}

/** Apptainer remarks on what it found before it says what went wrong. */
function lastWords(result: CommandResult): string {
  if (result.kind !== 'exited') return describeFailure(result);
  const lines = result.stderr
    .replaceAll(/\p{Cc}\[[\d;]*m/gu, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(INFO|WARNING|DEBUG|VERBOSE)\b/.test(line));
  const said = lines.slice(-3).join(' ').trim().slice(0, 400);
  return `exit code ${result.exitCode}${said === '' ? '' : `, ${said}`}`;
}
