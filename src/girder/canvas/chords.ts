import { isDict, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { rejectMessage } from '../protocol/reject-message.js';
import { innerTasks, readSignature, signatureList, type Signature } from './signature.js';

/** Maximum number of signatures in one message. */
const maxSignatures = 10_000;

const chordReason =
  'The task is part of a chord: a task that waits for the results of a group. Chords need stored results, which neither dsa-slurm nor Celery with rpc:// results has. Publish the tasks as a chain, or the group alone.';

/**
 * Rejects a canvas that contains a chord anywhere after this task. A group followed by another task is a chord, too.
 * @throws DsaSlurmError `message`
 */
export function rejectChords(embed: PickledDict): void {
  let visited = 0;

  const visit = (value: Pickled, followed: boolean): void => {
    visited += 1;
    if (visited > maxSignatures) rejectMessage('The message contains too many follow-up tasks.');
    const signature = readable(value);
    if (signature === null) return;
    const { kind, options } = signature;
    if (kind === 'chord' || isThere(options.get('chord'))) rejectMessage(chordReason);
    if (kind === 'group') {
      if (followed) rejectMessage(chordReason);
      for (const member of innerTasks(signature)) visit(member, false);
    }
    if (kind === 'chain') {
      const steps = innerTasks(signature);
      for (const [index, step] of steps.entries()) visit(step, followed || index < steps.length - 1);
    }
  };

  if (isThere(embed.get('chord'))) rejectMessage(chordReason);
  for (const name of ['callbacks', 'errbacks']) {
    for (const value of signatureList(embed.get(name))) visit(value, false);
  }
  // the last one is published next
  for (const [index, value] of signatureList(embed.get('chain')).entries()) visit(value, index > 0);
}

/** Null for a malformed signature: that is reported when it is published, and does not prevent the task from running. */
function readable(value: Pickled): Signature | null {
  try {
    const signature = readSignature(value);
    if (signature.kind === 'chain' || signature.kind === 'group') innerTasks(signature);
    return signature;
  } catch {
    return null;
  }
}

function isThere(value: Pickled | undefined): boolean {
  if (value === undefined || value === null) return false;
  return !(isDict(value) && value.size === 0);
}
