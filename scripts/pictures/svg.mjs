// A frame of a terminal as an SVG picture: what the emulator holds, cell by cell, without a browser or a font file.

const cellWidth = 8.4;
const lineHeight = 18;
const margin = 14;
const background = '#14161b';
const foreground = '#d7dae0';

/** The sixteen colours of a terminal that are a matter of taste; the other 240 are fixed by xterm. */
const base = [
  ['#2b303b', '#e06c75', '#98c379', '#e5c07b', '#61afef', '#c678dd', '#56b6c2', '#c8ccd4'],
  ['#7f8796', '#ff7b86', '#b5e890', '#ffd88f', '#82c4ff', '#e394f5', '#76d7e3', '#ffffff'],
].flat();

function paletteColour(index) {
  if (index < 16) return base[index];
  if (index >= 232) return hex((index - 232) * 10 + 8, (index - 232) * 10 + 8, (index - 232) * 10 + 8);
  const levels = [0, 95, 135, 175, 215, 255];
  const cube = index - 16;
  return hex(levels[Math.floor(cube / 36)], levels[Math.floor(cube / 6) % 6], levels[cube % 6]);
}

const hex = (...parts) => `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`;

function colour(isDefault, isRgb, value, otherwise) {
  if (isDefault) return otherwise;
  return isRgb ? hex(value >> 16, (value >> 8) & 255, value & 255) : paletteColour(value);
}

function look(cell) {
  const front = colour(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor(), foreground);
  const back = colour(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor(), background);
  const [fill, behind] = cell.isInverse() ? [back, front] : [front, back];
  return {
    fill,
    behind,
    bold: Boolean(cell.isBold()),
    dim: Boolean(cell.isDim()),
    under: Boolean(cell.isUnderline()),
  };
}

const escape = (text) => text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);

/** Text of a terminal: browsers collapse plain spaces whatever xml:space says, and rsvg others unless it says so. */
const cells = (text) => escape(text).replaceAll(' ', '\u00A0');

/**
 * Cells that look alike and stand side by side. A sign that is not plain ASCII stands alone, at its column: its font may give it another
 * width.
 */
function runsOf(line, columns) {
  const runs = [];
  for (let column = 0; column < columns; column += 1) {
    const cell = line.getCell(column);
    if (cell === undefined || cell.getWidth() === 0) continue;
    const text = cell.getChars() || ' ';
    const style = look(cell);
    const last = runs.at(-1);
    const plain = text >= ' ' && text <= '~';
    const joins = last?.plain === plain && plain && JSON.stringify(last.style) === JSON.stringify(style);
    if (joins) {
      last.text += text;
      last.width += 1;
    } else runs.push({ column, width: cell.getWidth(), text, style, plain });
  }
  return runs;
}

/** Neighbours on one background, as one: no seams between them. */
function bands(runs) {
  const found = [];
  for (const { column, width, style } of runs) {
    const last = found.at(-1);
    if (last?.fill === style.behind) last.cells += width;
    else found.push({ column, cells: width, fill: style.behind });
  }
  return found.filter(({ fill }) => fill !== background);
}

function rectangle({ column, cells, fill }, top) {
  const x = (margin + column * cellWidth).toFixed(1);
  return `<rect x="${x}" y="${top}" width="${(cells * cellWidth).toFixed(1)}" height="${lineHeight}" fill="${fill}"/>`;
}

/** Draws one line of a terminal, its top at `top`. */
function drawLine(line, cols, top) {
  const runs = runsOf(line, cols);
  const parts = bands(runs).map((band) => rectangle(band, top));
  for (const { column, width: columns, text, style } of runs) {
    if (text.trim() === '') continue;
    const x = (margin + column * cellWidth).toFixed(1);
    const attributes = [
      `x="${x}" y="${top + 13}" fill="${style.fill}" textLength="${(columns * cellWidth).toFixed(1)}"`,
      style.bold ? 'font-weight="bold"' : '',
      style.dim ? 'opacity="0.6"' : '',
      style.under ? 'text-decoration="underline"' : '',
    ];
    parts.push(`<text ${attributes.filter(Boolean).join(' ')}>${cells(text)}</text>`);
  }
  return parts.join('\n');
}

const linesOf = ({ rows, buffer: { active } }) =>
  Array.from({ length: rows }, (_, row) => active.getLine(active.viewportY + row));

const widthOf = ({ cols }) => Math.ceil(cols * cellWidth + 2 * margin);
const topOf = (row) => margin + row * lineHeight;

function page(width, height, title, content) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escape(title)}</title>
<rect width="${width}" height="${height}" rx="8" fill="${background}"/>
<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">
${content}
</g>
</svg>
`;
}

/**
 * Draws what a terminal shows.
 *
 * @param terminal - an `@xterm/headless` terminal
 * @param title - for those who hear the picture
 * @returns the text of an SVG file
 */
export function pictureOf(terminal, title) {
  const drawn = linesOf(terminal).flatMap((line, row) =>
    line === undefined ? [] : drawLine(line, terminal.cols, topOf(row)),
  );
  const content = drawn.filter((text) => text !== '').join('\n');
  return page(widthOf(terminal), terminal.rows * lineHeight + 2 * margin, title, content);
}

/**
 * Keeps what a terminal shows now, as a frame of an animation.
 *
 * @param terminal - an `@xterm/headless` terminal
 * @param caption - what there is to see
 * @param seconds - how long it is shown
 */
export function frameOf(terminal, caption, seconds) {
  const lines = linesOf(terminal).map((line) => (line === undefined ? '' : drawLine(line, terminal.cols, 0)));
  return { lines, width: widthOf(terminal), caption, seconds };
}

/**
 * Draws frames one after the other, without end. CSS does it, which browsers also run in an `<img>`; what knows no
 * animation shows the frame `still`, and so does a reader who asked for less motion.
 *
 * @param frames - as `frameOf` gives them, all of the same size
 * @param title - for those who hear the picture
 * @param still - index of the frame that stands for all
 * @returns the text of an SVG file
 */
export function animationOf(frames, title, still) {
  const [{ width, lines }] = frames;
  const height = lines.length * lineHeight + 2 * margin;
  const whole = frames.reduce((sum, { seconds }) => sum + seconds, 0);
  // a line that several frames have is drawn once
  const ids = new Map([...new Set(frames.flatMap((frame) => frame.lines))].map((line, n) => [line, `l${n}`]));
  ids.delete('');
  const drawn = [...ids].map(([line, id]) => `<g id="${id}">\n${line}\n</g>`);
  const percent = (seconds) => `${((seconds / whole) * 100).toFixed(2)}%`;
  let from = 0;
  const rules = frames.map(({ seconds }, n) => {
    const start = n === 0 ? '' : `0%{visibility:hidden}`;
    const end = n === frames.length - 1 ? '' : `${percent(from + seconds)}{visibility:hidden}`;
    const rule = `@keyframes k${n}{${start}${percent(from)}{visibility:visible}${end}}#f${n}{animation:k${n} ${whole}s step-end infinite}`;
    from += seconds;
    return rule;
  });
  const style = `<style>.f{visibility:hidden}#f${still}{visibility:visible}@media(prefers-reduced-motion:no-preference){${rules.join('')}}</style>`;
  const shown = frames.map((frame, n) => {
    const uses = frame.lines.flatMap((line, row) =>
      line === '' ? [] : `<use href="#${ids.get(line)}" y="${topOf(row)}"/>`,
    );
    const caption = `<text x="${margin}" y="${height + 16}" fill="${foreground}" font-weight="bold">${n + 1}/${frames.length}  ${escape(frame.caption)}</text>`;
    return `<g class="f" id="f${n}">\n${uses.join('\n')}\n${caption}\n</g>`;
  });
  return page(width, height + 30, title, [style, '<defs>', ...drawn, '</defs>', ...shown].join('\n'));
}
