import { dirname, isAbsolute, normalize } from 'node:path';
import { bytes } from '../../doctor/check-result.js';
import { isLocal } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { warning, ok, problem, type ValidationResult } from './validation-result.js';

type Context = Pick<ValidateContext, 'probes' | 'accepted' | 'draft'>;

/** Bytes. With less, a few slides fill the file system. */
const minFreeBytes = 20e9;

/** A directory that must be shared with the compute nodes, unless this host runs the jobs. */
export async function sharedDirectory(path: string, context: Context): Promise<ValidationResult> {
  return checkDirectory(path, context, !isLocal(context.draft));
}

/** A directory that only this host uses. */
export async function ownDirectory(path: string, context: Context): Promise<ValidationResult> {
  return checkDirectory(path, context, false);
}

/** The path of the submit script, in a directory shared with the compute nodes. */
export async function submitScript(path: string, context: Context): Promise<ValidationResult> {
  const wrong = pathProblem(path);
  if (wrong !== null) return wrong;
  const { state } = await context.probes.directories.inspect(path);
  if (state.kind === 'directory') {
    return problem(`${path} is a directory.`, 'Append a file name, such as singularity.slurm.');
  }
  return checkDirectory(dirname(path), context, !isLocal(context.draft));
}

async function checkDirectory(
  path: string,
  { probes, accepted, draft }: Context,
  isShared: boolean,
): Promise<ValidationResult> {
  const wrong = pathProblem(path);
  if (wrong !== null) return wrong;
  const facts = await probes.directories.inspect(path);
  const { state } = facts;
  switch (state.kind) {
    case 'closed':
      return problem(`${path} cannot be accessed (${state.why}).`, 'Choose a directory of your own.');
    case 'other':
      return problem(`${path} is not a directory.`, 'Choose another path.');
    case 'missing':
      if (state.why !== null) {
        return problem(
          `${path} does not exist and cannot be created: ${state.why}.`,
          'Choose a path below one of your directories, or ask an administrator to create this one.',
        );
      }
      return (
        localWarning(path, facts.fileSystem, isShared, accepted) ?? {
          kind: 'confirmation',
          question: `${path} does not exist. Create it?`,
          done: `created ${path}`,
          implied: typeof draft.base === 'string' && path.startsWith(`${draft.base}/`),
          run: () => probes.directories.create(path),
        }
      );
    case 'directory':
      break;
  }
  if (!state.writable) {
    return problem(`You cannot write to ${path}.`, `Choose another directory, or run: chmod u+rwx ${path}`);
  }
  if (state.worldWritable) {
    return problem(
      `Everyone can write to ${path}, and could tamper with the files of analyses.`,
      `Choose your own directory below it, or run: chmod o-w ${path}`,
    );
  }
  const local = localWarning(path, facts.fileSystem, isShared, accepted);
  if (local !== null) return local;
  if (facts.freeBytes !== null && facts.freeBytes < minFreeBytes) {
    return warning(
      `space:${facts.fileSystem?.mountPoint ?? path}`,
      `Only ${bytes(facts.freeBytes)} are free in ${path}.`,
      'Free some space, or choose another directory: slides are large.',
    );
  }
  return ok();
}

function localWarning(
  path: string,
  fileSystem: { type: string; mountPoint: string; reach: string } | null,
  isShared: boolean,
  accepted: ReadonlySet<string>,
): ValidationResult | null {
  if (!isShared || fileSystem?.reach !== 'local' || accepted.has(`local:${fileSystem.mountPoint}`))
    return null;
  return warning(
    `local:${fileSystem.mountPoint}`,
    `${path} is on ${fileSystem.type}, which compute nodes cannot access unless this host exports it.`,
    'Choose a directory on the shared file system. A job will check it from the nodes later.',
  );
}

function pathProblem(path: string): ValidationResult | null {
  if (!isAbsolute(path)) return problem('This is not an absolute path.', 'It must begin with /.');
  if (normalize(path).replace(/\/$/, '') !== path.replace(/\/$/, '')) {
    return problem('This path contains "..", "." or "//".', `Write ${normalize(path)}`);
  }
  if (path === '/') return problem('The root directory cannot be used.', 'Choose a directory of your own.');
  // Apptainer splits --bind at `,` and `:`, and sbatch replaces `%` and `\` in file names
  const bad = /[,:%\\"'$`\s\p{Cc}]/u.exec(path)?.[0];
  if (bad === undefined) return null;
  const name = /\s|\p{Cc}/u.test(bad) ? 'spaces' : bad;
  return problem(
    `Paths that contain ${name} break bind mounts or scripts.`,
    'Use letters, digits, dots, dashes and underscores.',
  );
}
