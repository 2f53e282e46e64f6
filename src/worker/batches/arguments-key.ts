import { createHash } from 'node:crypto';

import { inputsOf, type Analysis, type ContainerArgument } from '../../girder/protocol/analysis.js';

/**
 * What the runs of one batch have in common: a digest of the container's arguments without its inputs, the names of its outputs, and
 * tokens. Girder marks nothing on the wire, so this is how a batch is recognized. Contains nothing of the arguments themselves.
 */
export function argumentsKey({ image, entrypoint, args, gpu }: Analysis): string {
  const inputs = args.flatMap(inputsOf).flatMap((input) => {
    switch (input.kind) {
      case 'file':
        return [input.fileId, input.fileName ?? ''];
      case 'folder':
        return [input.folderId, input.folderName ?? ''];
      case 'item':
        return [input.itemId];
    }
  });
  // a short name could be a part of any argument
  const names = inputs.filter((name) => name.length >= minNameLength);
  const parts = [image, entrypoint, gpu, ...args.map((argument) => partOf(argument, names))];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

const minNameLength = 5;
/** Ids of Girder, which a parameter may contain as text: those of the slide's item, for example. */
const girderId = /\b[0-9a-f]{24}\b/g;

function partOf(argument: ContainerArgument, inputs: readonly string[]): unknown {
  if (argument.kind === 'text') {
    const text = inputs.reduce((rest, name) => rest.replaceAll(name, '<input>'), argument.text);
    return { text: text.replaceAll(girderId, '<id>') };
  }
  // several slides in one argument are as many inputs, whatever they are
  return argument.kind === 'joined' ? [argument.kind, argument.parts.length] : argument.kind;
}
