/** The meaning of a text; the theme decides how it looks. Color is never the only sign of a meaning. */
export type Tone =
  | 'plain'
  | 'muted'
  /** Of a row that ended a while ago. */
  | 'faded'
  | 'strong'
  | 'good'
  | 'busy'
  | 'waiting'
  | 'warning'
  | 'bad'
  | 'accent'
  /** The open tab: inverse. */
  | 'current';

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

/** Themes by name. `plain` has only the 16 colors of the terminal's own palette. */
export const themeNames = ['dark', 'light', 'contrast', 'plain'] as const;
export type ThemeName = (typeof themeNames)[number];

/** The color of each tone as Ink takes it: a name or `#rrggbb`, which Ink approximates where a terminal has fewer colors. */
type Colors = Readonly<Record<Exclude<Tone, 'plain' | 'strong' | 'current'>, string | undefined>>;

export interface Theme {
  name: ThemeName;
  color: boolean;
  colors: Colors;
  /** Muted texts are dim instead of gray. */
  dim: boolean;
  glyphs: Glyphs;
  /** A border style of Ink. */
  border: 'round' | 'classic';
}

const colors: Readonly<Record<ThemeName, Colors>> = {
  dark: {
    muted: '#949494',
    faded: '#949494',
    good: '#87d787',
    busy: '#5fd7d7',
    waiting: '#d7d787',
    warning: '#ffaf5f',
    bad: '#ff8787',
    accent: '#87afff',
  },
  light: {
    muted: '#5f5f5f',
    faded: '#5f5f5f',
    good: '#005f00',
    busy: '#005f87',
    waiting: '#5f5f00',
    warning: '#875f00',
    bad: '#af0000',
    accent: '#0000af',
  },
  contrast: {
    muted: undefined,
    faded: undefined,
    good: 'greenBright',
    busy: 'cyanBright',
    waiting: 'yellowBright',
    warning: 'yellowBright',
    bad: 'redBright',
    accent: 'cyanBright',
  },
  plain: {
    muted: undefined,
    faded: undefined,
    good: 'green',
    busy: 'cyan',
    waiting: 'yellow',
    warning: 'yellow',
    bad: 'red',
    // blue is the least legible of the 16 colors on a dark background
    accent: 'cyan',
  },
};

const unicodeGlyphs: Glyphs = {
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

const asciiGlyphs: Glyphs = {
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

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Respects `NO_COLOR` (no-color.org: any non-empty value), `TERM=dumb`, and a locale without UTF-8. The latter two select ASCII.
 * @param name the operator's choice; null: `light` where the terminal says so in `COLORFGBG`, otherwise `dark`
 */
export function chooseTheme(env: Environment, name: ThemeName | null = null): Theme {
  const dumb = env['TERM'] === 'dumb';
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  const ascii = dumb || (locale !== '' && !/utf-?8/iu.test(locale));
  const chosen = name ?? (/;(?:7|15)$/u.test(env['COLORFGBG'] ?? '') ? 'light' : 'dark');
  return {
    name: chosen,
    color: !dumb && (env['NO_COLOR'] ?? '') === '',
    colors: colors[chosen],
    dim: chosen === 'plain',
    glyphs: ascii ? asciiGlyphs : unicodeGlyphs,
    border: ascii ? 'classic' : 'round',
  };
}

/** The themes of a terminal. Each is made once, so that an unchanged line is recognized as such. */
export function createThemes(env: Environment): (name: ThemeName | null) => Theme {
  const made = new Map<ThemeName | null, Theme>();
  return (name) => {
    const theme = made.get(name) ?? chooseTheme(env, name);
    made.set(name, theme);
    return theme;
  };
}

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone };
}
