import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Setting } from './catalog.js';

/**
 * What a text from a flag, the environment or `config set` stands for. Text that cannot be read stays text, and the
 * setting's type then complains about it in its own words.
 */
export function readText(setting: Setting, text: string): unknown {
  switch (setting.kind) {
    case 'text':
      return setting.info.path === true && text !== '' ? readPath(text) : text;
    case 'number':
      return /^[+-]?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return readBoolean(text);
    case 'list':
      return text.trim().startsWith('[') ? readJson(text) : words(text);
    case 'table':
      return text.trim().startsWith('{') ? readJson(text) : readTable(text);
  }
}

function readPath(text: string): string {
  if (text === '~' || text.startsWith('~/')) return join(homedir(), text.slice(1));
  return resolve(text);
}

function readBoolean(text: string): boolean | string {
  const word = text.trim().toLowerCase();
  if (['true', 'yes', 'on', '1'].includes(word)) return true;
  if (['false', 'no', 'off', '0'].includes(word)) return false;
  return text;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function words(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** `from=to,from=to` */
function readTable(text: string): unknown {
  const pairs = words(text).map((pair) => /^([^=]+)=(.+)$/.exec(pair)?.slice(1) ?? []);
  return pairs.every((pair) => pair.length === 2) ? Object.fromEntries(pairs) : text;
}
