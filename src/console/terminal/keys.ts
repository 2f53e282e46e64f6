import type { Key } from 'ink';

const namedKeys = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pgup'],
  ['pageDown', 'pgdn'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'esc'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  ['delete', 'backspace'],
] as const;

const characterNames: Readonly<Record<string, string>> = {
  ' ': 'space',
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
};

/**
 * The names of the keys in one input event of Ink. A slow connection can deliver several at once (`jj`). Printable
 * characters except the space are their own name.
 */
export function keyNames(input: string, key: Partial<Key>): string[] {
  if (key.eventType === 'release') return [];
  if (key.ctrl === true && input.length === 1) return [`ctrl-${input}`];
  const named = namedKeys.find(([flag]) => key[flag] === true);
  if (named !== undefined) return [named[1]];
  if (key.meta === true || key.ctrl === true) return [];
  return Array.from(input, (character) => characterNames[character] ?? character);
}

const keyLabels: Readonly<Record<string, string>> = {
  up: 'Up',
  down: 'Down',
  pgup: 'PgUp',
  pgdn: 'PgDn',
  home: 'Home',
  end: 'End',
  enter: 'Enter',
  esc: 'Esc',
  tab: 'Tab',
  space: 'Space',
  backspace: 'Backspace',
};

/** A key name as help and footer show it. */
export function keyLabel(key: string): string {
  return keyLabels[key] ?? key.replace(/^ctrl-(.)$/u, (_, letter: string) => `Ctrl-${letter.toUpperCase()}`);
}
