import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Setting } from './catalog.js';

/**
 * Parses text from a flag, the environment or `config set`. Text that cannot be parsed is returned as it is, for the
 * setting's type to reject.
 */
export function parseValue(setting: Setting, text: string): unknown {
  switch (setting.kind) {
    case 'text':
      return setting.info.path === true && text !== '' ? parsePath(text) : text;
    case 'number':
      return /^[+-]?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return parseBoolean(text);
    case 'list':
      return text.trim().startsWith('[') ? parseJson(text) : splitList(text);
    case 'table':
      return text.trim().startsWith('{') ? parseJson(text) : parseTable(text);
  }
}

function parsePath(text: string): string {
  if (text === '~' || text.startsWith('~/')) return join(homedir(), text.slice(1));
  return resolve(text);
}

function parseBoolean(text: string): boolean | string {
  const word = text.trim().toLowerCase();
  if (['true', 'yes', 'on', '1'].includes(word)) return true;
  if (['false', 'no', 'off', '0'].includes(word)) return false;
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** `from=to,from=to` */
function parseTable(text: string): unknown {
  const pairs = splitList(text).map((pair) => /^([^=]+)=(.+)$/.exec(pair)?.slice(1) ?? []);
  return pairs.every((pair) => pair.length === 2) ? Object.fromEntries(pairs) : text;
}
