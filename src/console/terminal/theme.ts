/** The meaning of a text; the theme decides how it looks. Color is never the only sign of a meaning. */
export type Tone = 'plain' | 'muted' | 'strong' | 'good' | 'busy' | 'waiting' | 'warning' | 'bad' | 'accent';

/** A piece of a line. Its text must be clean (see `cleanText`). */
export interface Span {
  text: string;
  tone: Tone;
}

export interface Line {
  spans: readonly Span[];
  /** The selected row, shown inverse. */
  selected?: boolean;
}

export interface Glyphs {
  running: string;
  waiting: string;
  working: string;
  succeeded: string;
  failed: string;
  canceled: string;
  unknown: string;
  warning: string;
  selected: string;
  marked: string;
  /** Selected and marked. */
  both: string;
  /** In front of an outdated row. */
  stale: string;
  up: string;
  down: string;
  crumb: string;
  dot: string;
  rule: string;
  barDone: string;
  barLeft: string;
  ellipsis: string;
  cursor: string;
  /** Characters of a sparkline: zero, then low to high. */
  spark: string;
}

/** The border of a box. Corners: top left, top right, bottom left, bottom right. */
interface Border {
  corners: readonly [string, string, string, string];
  horizontal: string;
  vertical: string;
}

export interface Theme {
  color: boolean;
  glyphs: Glyphs;
  border: Border;
}

const unicode: Glyphs = {
  running: '●',
  waiting: '○',
  working: '◐',
  succeeded: '✔',
  failed: '✘',
  canceled: '⊘',
  unknown: '?',
  warning: '▲',
  selected: '▸',
  marked: '◆',
  both: '◈',
  stale: '~',
  up: '▴',
  down: '▾',
  crumb: '›',
  dot: '·',
  rule: '─',
  barDone: '━',
  barLeft: '─',
  ellipsis: '…',
  cursor: '█',
  spark: '·▁▂▃▄▅▆▇█',
};

const ascii: Glyphs = {
  running: '*',
  waiting: 'o',
  working: '~',
  succeeded: '+',
  failed: 'x',
  canceled: '-',
  unknown: '?',
  warning: '!',
  selected: '>',
  marked: '+',
  both: '#',
  stale: '~',
  up: '^',
  down: 'v',
  crumb: '>',
  dot: '|',
  rule: '-',
  barDone: '#',
  barLeft: '-',
  ellipsis: '~',
  cursor: '_',
  spark: '.:-=+*#@',
};

/** Respects `NO_COLOR` (no-color.org: any non-empty value) and `TERM=dumb`, which also selects ASCII. */
export function chooseTheme(env: Readonly<Record<string, string | undefined>>): Theme {
  const dumb = env['TERM'] === 'dumb';
  return {
    color: !dumb && (env['NO_COLOR'] ?? '') === '',
    glyphs: dumb ? ascii : unicode,
    border: dumb
      ? { corners: ['+', '+', '+', '+'], horizontal: '-', vertical: '|' }
      : { corners: ['╭', '╮', '╰', '╯'], horizontal: '─', vertical: '│' },
  };
}

/** Only named terminal colors, which follow the user's palette, light or dark. */
export function toneColor(tone: Tone): string | undefined {
  switch (tone) {
    case 'good':
      return 'green';
    case 'busy':
      return 'cyan';
    case 'waiting':
    case 'warning':
      return 'yellow';
    case 'bad':
      return 'red';
    case 'accent':
      return 'blue';
    case 'plain':
    case 'muted':
    case 'strong':
      return undefined;
  }
}

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone };
}
