import { WholeFloat } from '../../base/python-json.js';
import { pythonStr } from '../pickle/python-str.js';
import type { Pickled, PickledDict } from '../pickle/pickled.js';

/** Celery's own limit for the two headers. */
const longest = 1_024;
const deepest = 3;
const hidden = "'***'";

/**
 * What Celery's headers `argsrepr` and `kwargsrepr` show: Python's `repr`, three levels deep and cut after about 1,024
 * characters. For people only, so an object is shown by its class, and what looks like a token or stands under a name
 * that promises one is hidden. Source: celery.utils.saferepr.
 */
export function pythonRepr(value: Pickled): string {
  let left = longest;

  const say = (text: string): string => {
    left -= text.length;
    return text;
  };

  const list = (items: readonly Pickled[], open: string, close: string, level: number): string => {
    if (items.length > 0 && level >= deepest) return say(`${open}...${close}`);
    const shown: string[] = [];
    for (const item of items) {
      if (left <= 0) {
        shown.push('...');
        break;
      }
      shown.push(show(item, level + 1));
      left -= 2;
    }
    return `${open}${shown.join(', ')}${close}`;
  };

  const dict = (entries: PickledDict, level: number): string => {
    if (entries.size > 0 && level >= deepest) return say('{...}');
    const shown: string[] = [];
    for (const [key, item] of entries) {
      if (left <= 0) {
        shown.push('...');
        break;
      }
      shown.push(`${say(quotedText(key))}: ${isSecretName(key) ? say(hidden) : show(item, level + 1)}`);
      left -= 4;
    }
    return `{${shown.join(', ')}}`;
  };

  const show = (value: Pickled, level: number): string => {
    if (typeof value === 'string')
      return say(quotedText(value.length > left ? `${value.slice(0, Math.max(0, left))}...` : value));
    if (value instanceof Map) return dict(value as PickledDict, level);
    if (typeof value !== 'object' || value === null || value instanceof WholeFloat)
      return say(pythonStr(value) ?? '');
    if (!('kind' in value)) return list(value as readonly Pickled[], '[', ']', level);
    switch (value.kind) {
      case 'tuple':
        return list(value.items, '(', value.items.length === 1 ? ',)' : ')', level);
      case 'set':
        return value.items.length === 0 ? say('set()') : list(value.items, '{', '}', level);
      case 'instance':
        return say(`<${value.className} object>`);
      case 'type':
        return say(`<class '${value.name}'>`);
      case 'function':
        return say(`<function ${value.name}>`);
      case 'objectId':
        return say(`ObjectId('${value.hex}')`);
      case 'datetime':
        return say(`datetime(${value.iso})`);
      case 'bytes':
        return say(`<${value.bytes.length} bytes>`);
      case 'reduce':
      case 'cycle':
        return say('<object>');
    }
  };
  return show(value, 0);
}

function quotedText(text: string): string {
  const masked = text.replaceAll(/(?:sha256:)?[A-Za-z0-9]{40,}/g, (found) =>
    found.startsWith('sha256:') ? found : '***',
  );
  return `'${masked.replaceAll("'", String.raw`\'`)}'`;
}

function isSecretName(name: string): boolean {
  return /token|password|secret|api_?key/i.test(name);
}
