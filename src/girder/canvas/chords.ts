import { isDict, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { rejectMessage } from '../protocol/reject-message.js';
import { innerTasks, readSignature, signatureList, type Signature } from './signature.js';

/** Signatures of one message, whatever is in it. */
const maxSignatures = 10_000;

const chordReason =
  'The publisher asked for a chord: a task that waits for the results of a group. dsa-slurm keeps no results, and neither does Celery with rpc:// results, so it cannot be carried on. Publish the tasks as a chain, or the group alone.';

/**
 * Refuses a canvas that cannot be carried on at all: a chord, wherever it stands in what follows this task, and a group with
 * something behind it, which is one.
 * @throws DsaSlurmError `message`
 */
export function rejectChords(embed: PickledDict): void {
  let seen = 0;

  const look = (value: Pickled, followed: boolean): void => {
    seen += 1;
    if (seen > maxSignatures)
      rejectMessage('The publisher asked for far more further tasks than can be started.');
    const signature = readable(value);
    if (signature === null) return;
    const { kind, options } = signature;
    if (kind === 'chord' || isThere(options.get('chord'))) rejectMessage(chordReason);
    if (kind === 'group') {
      if (followed) rejectMessage(chordReason);
      for (const member of innerTasks(signature)) look(member, false);
    }
    if (kind === 'chain') {
      const steps = innerTasks(signature);
      for (const [index, step] of steps.entries()) look(step, followed || index < steps.length - 1);
    }
  };

  if (isThere(embed.get('chord'))) rejectMessage(chordReason);
  for (const name of ['callbacks', 'errbacks']) {
    for (const value of signatureList(embed.get(name))) look(value, false);
  }
  // the last one comes next
  for (const [index, value] of signatureList(embed.get('chain')).entries()) look(value, index > 0);
}

/** What cannot be read is told where it is to be published: it is no reason not to run the task. */
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
