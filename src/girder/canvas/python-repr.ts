import { WholeFloat } from '../../base/text/python-json.js';
import { pythonStr } from '../pickle/python-str.js';
import type { Pickled, PickledDict } from '../pickle/pickled.js';

/** Celery's limits for the two headers. */
const maxLength = 1_024;
const maxDepth = 3;
const masked = "'***'";

/**
 * The value of Celery's headers `argsrepr` and `kwargsrepr`: Python's `repr`, three levels deep and truncated after about
 * 1,024 characters. For display only: objects are parts by their class, and values that look like a token or have the name of
 * a secret are masked. Source: celery.utils.saferepr.
 */
export function pythonRepr(value: Pickled): string {
  let left = maxLength;

  const emit = (text: string): string => {
    left -= text.length;
    return text;
  };

  const list = (items: readonly Pickled[], open: string, close: string, level: number): string => {
    if (items.length > 0 && level >= maxDepth) return emit(`${open}...${close}`);
    const parts: string[] = [];
    for (const item of items) {
      if (left <= 0) {
        parts.push('...');
        break;
      }
      parts.push(show(item, level + 1));
      left -= 2;
    }
    return `${open}${parts.join(', ')}${close}`;
  };

  const dict = (entries: PickledDict, level: number): string => {
    if (entries.size > 0 && level >= maxDepth) return emit('{...}');
    const parts: string[] = [];
    for (const [key, item] of entries) {
      if (left <= 0) {
        parts.push('...');
        break;
      }
      parts.push(`${emit(quotedText(key))}: ${isSecretName(key) ? emit(masked) : show(item, level + 1)}`);
      left -= 4;
    }
    return `{${parts.join(', ')}}`;
  };

  const show = (value: Pickled, level: number): string => {
    if (typeof value === 'string')
      return emit(quotedText(value.length > left ? `${value.slice(0, Math.max(0, left))}...` : value));
    if (value instanceof Map) return dict(value as PickledDict, level);
    if (typeof value !== 'object' || value === null || value instanceof WholeFloat)
      return emit(pythonStr(value) ?? '');
    if (!('kind' in value)) return list(value as readonly Pickled[], '[', ']', level);
    switch (value.kind) {
      case 'tuple':
        return list(value.items, '(', value.items.length === 1 ? ',)' : ')', level);
      case 'set':
        return value.items.length === 0 ? emit('set()') : list(value.items, '{', '}', level);
      case 'instance':
        return emit(`<${value.className} object>`);
      case 'type':
        return emit(`<class '${value.name}'>`);
      case 'function':
        return emit(`<function ${value.name}>`);
      case 'objectId':
        return emit(`ObjectId('${value.hex}')`);
      case 'datetime':
        return emit(`datetime(${value.iso})`);
      case 'bytes':
        return emit(`<${value.bytes.length} bytes>`);
      case 'reduce':
      case 'cycle':
        return emit('<object>');
    }
  };
  return show(value, 0);
}

function quotedText(text: string): string {
  const maskedText = text.replaceAll(/(?:sha256:)?[A-Za-z0-9]{40,}/g, (found) =>
    found.startsWith('sha256:') ? found : '***',
  );
  return `'${maskedText.replaceAll("'", String.raw`\'`)}'`;
}

function isSecretName(name: string): boolean {
  return /token|password|secret|api_?key/i.test(name);
}
