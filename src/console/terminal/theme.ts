/** What a piece of text means; the theme decides how that looks. Colour is never the only carrier of a meaning. */
export type Tone = 'plain' | 'muted' | 'strong' | 'good' | 'busy' | 'waiting' | 'warning' | 'bad' | 'accent';

/** A piece of a line. Its text is cleaned already. */
export interface Span {
  text: string;
  tone: Tone;
}

/** One row of the screen, at most as wide as the screen. */
export interface Line {
  spans: readonly Span[];
  /** The selected row, shown in reverse. */
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
  /** In front of a row that could not be renewed. */
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
  /** For a sparkline: nothing, then from low to high. */
  spark: string;
}

/** The border of a box: corners from the top left on as one reads, then its edges. */
export interface Border {
  corners: readonly [string, string, string, string];
  across: string;
  upright: string;
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

/** Reads `NO_COLOR` (no-color.org: any value but the empty one) and `TERM=dumb` (plain ASCII as well). */
export function chooseTheme(env: Readonly<Record<string, string | undefined>>): Theme {
  const dumb = env['TERM'] === 'dumb';
  return {
    color: !dumb && (env['NO_COLOR'] ?? '') === '',
    glyphs: dumb ? ascii : unicode,
    border: dumb
      ? { corners: ['+', '+', '+', '+'], across: '-', upright: '|' }
      : { corners: ['╭', '╮', '╰', '╯'], across: '─', upright: '│' },
  };
}

/** The eight named terminal colours only: they follow the user's own palette, light or dark. */
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
