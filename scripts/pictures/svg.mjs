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

/**
 * Draws what a terminal shows.
 *
 * @param terminal - an `@xterm/headless` terminal
 * @param title - for those who hear the picture
 * @returns the text of an SVG file
 */
export function pictureOf(terminal, title) {
  const { cols, rows, buffer } = terminal;
  const width = Math.ceil(cols * cellWidth + 2 * margin);
  const height = rows * lineHeight + 2 * margin;
  const parts = [];
  for (let row = 0; row < rows; row += 1) {
    const line = buffer.active.getLine(buffer.active.viewportY + row);
    if (line === undefined) continue;
    const top = margin + row * lineHeight;
    const runs = runsOf(line, cols);
    parts.push(...bands(runs).map((band) => rectangle(band, top)));
    for (const { column, width: cells, text, style } of runs) {
      const x = (margin + column * cellWidth).toFixed(1);
      const length = (cells * cellWidth).toFixed(1);
      if (text.trim() === '') continue;
      const attributes = [
        `x="${x}" y="${top + 13}" fill="${style.fill}" textLength="${length}"`,
        style.bold ? 'font-weight="bold"' : '',
        style.dim ? 'opacity="0.6"' : '',
        style.under ? 'text-decoration="underline"' : '',
      ];
      parts.push(`<text ${attributes.filter(Boolean).join(' ')}>${escape(text)}</text>`);
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escape(title)}</title>
<rect width="${width}" height="${height}" rx="8" fill="${background}"/>
<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">
${parts.join('\n')}
</g>
</svg>
`;
}
