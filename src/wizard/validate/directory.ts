import { dirname, isAbsolute, normalize } from 'node:path';
import { bytes } from '../../doctor/check-result.js';
import { isLocal } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { doubt, ok, problem, type Verdict } from './validation-result.js';

type Context = Pick<ValidateContext, 'doors' | 'accepted' | 'draft'>;

/** Below this, a few slides fill the file system. */
const littleSpace = 20e9;

/** A directory that compute nodes see as well, where Slurm runs the jobs. */
export async function sharedDirectory(path: string, context: Context): Promise<Verdict> {
  return lookAt(path, context, !isLocal(context.draft));
}

/** A directory that only this host needs. */
export async function ownDirectory(path: string, context: Context): Promise<Verdict> {
  return lookAt(path, context, false);
}

/** A file that is going to be written into a directory that compute nodes see. */
export async function submitScript(path: string, context: Context): Promise<Verdict> {
  const wrong = pathProblem(path);
  if (wrong !== null) return wrong;
  const { state } = await context.doors.directories.look(path);
  if (state.kind === 'directory') {
    return problem(`${path} is a directory.`, 'Add a file name, such as singularity.slurm.');
  }
  return lookAt(dirname(path), context, !isLocal(context.draft));
}

async function lookAt(
  path: string,
  { doors, accepted, draft }: Context,
  isShared: boolean,
): Promise<Verdict> {
  const wrong = pathProblem(path);
  if (wrong !== null) return wrong;
  const facts = await doors.directories.look(path);
  const { state } = facts;
  switch (state.kind) {
    case 'closed':
      return problem(`${path} cannot be looked at (${state.why}).`, 'Name one that is yours.');
    case 'other':
      return problem(`${path} is not a directory.`, 'Name another one.');
    case 'missing':
      if (state.why !== null) {
        return problem(
          `${path} is not there and cannot be made: ${state.why}.`,
          'Name one below a directory that is yours, or ask for this one.',
        );
      }
      return (
        localDoubt(path, facts.fileSystem, isShared, accepted) ?? {
          kind: 'consent',
          ask: `${path} is not there. Make it?`,
          done: `made ${path}`,
          implied: typeof draft.base === 'string' && path.startsWith(`${draft.base}/`),
          act: () => doors.directories.make(path),
        }
      );
    case 'directory':
      break;
  }
  if (!state.writable) {
    return problem(`You cannot write to ${path}.`, `Name another one, or: chmod u+rwx ${path}`);
  }
  if (state.worldWritable) {
    return problem(
      `Everybody can write to ${path}, and could put files under an analysis.`,
      `Name one of your own below it, or: chmod o-w ${path}`,
    );
  }
  const local = localDoubt(path, facts.fileSystem, isShared, accepted);
  if (local !== null) return local;
  if (facts.freeBytes !== null && facts.freeBytes < littleSpace) {
    return doubt(
      `space:${facts.fileSystem?.mountPoint ?? path}`,
      `Only ${bytes(facts.freeBytes)} are free in ${path}.`,
      'Make room, or name another one: slides are large.',
    );
  }
  return ok();
}

function localDoubt(
  path: string,
  fileSystem: { type: string; mountPoint: string; reach: string } | null,
  isShared: boolean,
  accepted: ReadonlySet<string>,
): Verdict | null {
  if (!isShared || fileSystem?.reach !== 'local' || accepted.has(`local:${fileSystem.mountPoint}`))
    return null;
  return doubt(
    `local:${fileSystem.mountPoint}`,
    `${path} is on ${fileSystem.type}, which compute nodes do not see unless this host exports it.`,
    'Name one on the shared file system. A job will look from the nodes later.',
  );
}

function pathProblem(path: string): Verdict | null {
  if (!isAbsolute(path)) return problem('This is not an absolute path.', 'Begin with /.');
  if (normalize(path).replace(/\/$/, '') !== path.replace(/\/$/, '')) {
    return problem('This path has "..", "." or "//" in it.', `Write ${normalize(path)}`);
  }
  if (path === '/') return problem('The root directory cannot be used.', 'Name one of your own.');
  // Apptainer takes `,` and `:` apart in --bind, and sbatch replaces `%` and `\` in file names
  const bad = /[,:%\\"'$`\s\p{Cc}]/u.exec(path)?.[0];
  if (bad === undefined) return null;
  const name = /\s|\p{Cc}/u.test(bad) ? 'blanks' : bad;
  return problem(
    `Paths with ${name} in them break bind mounts or scripts.`,
    'Use letters, digits, dots, dashes and underscores.',
  );
}
