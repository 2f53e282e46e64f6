import type { ContainerArgument } from '../../../src/girder/protocol/analysis.js';

/** A short description of a container argument. */
export function brief(argument: ContainerArgument): string {
  switch (argument.kind) {
    case 'text':
      return argument.text;
    case 'file':
      return `file ${argument.fileId} ${argument.fileName}`;
    case 'folder':
      return `folder ${argument.folderId} ${argument.folderName}`;
    case 'item':
      return `item ${argument.itemId}`;
    case 'joined':
      return `joined ${argument.parts.map(brief).join(', ')}`;
    case 'directory':
      return 'directory';
    case 'stream': {
      const { connector } = argument;
      return `${connector.kind} stream${'pipe' in connector ? ` ${connector.pipe.name}` : ''}`;
    }
    case 'volumePath':
      return `path ${argument.filename}`;
    case 'volume':
      return 'volume';
    case 'apiUrl':
    case 'token':
      return `${argument.kind} ${argument.access.apiUrl}`;
  }
}
