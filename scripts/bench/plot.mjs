// Draws how the cost of the worker grows with its runs, from the JSON of one or more runs of the bench:
// npm run bench -- --only in-flight --count 1,10,100,1000,5000 --json figures.json
// node scripts/bench/plot.mjs figures.json docs/performance-growth.svg
import { readFile, writeFile } from 'node:fs/promises';

const sources = process.argv.slice(2);
const target = sources.pop();
if (sources.length === 0) {
  console.error('usage: node scripts/bench/plot.mjs FIGURES.json... PLOT.svg');
  process.exit(2);
}
const results = await Promise.all(sources.map(async (source) => JSON.parse(await readFile(source, 'utf8'))));
const { at, machine } = results[0];
/** Points by figure, of the rows that name a number of waiting runs. */
const figures = new Map();
for (const { what, ours } of results.flatMap(({ rows }) => rows)) {
  const [, runs, figure] = /^(\d+) waiting: (.+)$/.exec(what) ?? [];
  if (figure !== undefined) figures.set(figure, [...(figures.get(figure) ?? []), [Number(runs), ours]]);
}
if (figures.size === 0) {
  console.error('plot: no figures of the scenario in-flight');
  process.exit(1);
}

const [width, height, columns] = [300, 190, 3];
const [left, right, top, bottom] = [48, 16, 34, 34];
const total = Math.ceil(figures.size / columns);
const panels = [...figures].map(([figure, points], index) =>
  panel(
    figure,
    points.toSorted(([a], [b]) => a - b),
    (index % columns) * width,
    Math.floor(index / columns) * height,
  ),
);
await writeFile(
  target,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * columns} ${height * total + 24}" font-family="sans-serif" font-size="11" fill="#333">
<rect width="100%" height="100%" fill="#fff"/>
${panels.join('\n')}
<text x="8" y="${height * total + 14}">Runs that wait in Slurm, on a logarithmic axis. Measured ${at.slice(0, 10)} on ${machine.cores} cores, load ${machine.load}.</text>
</svg>
`,
);

/** One figure over the number of runs. */
function panel(figure, points, atX, atY) {
  const most = Math.max(...points.map(([, value]) => value), Number.EPSILON);
  const widest = Math.max(1, Math.log10(points.at(-1)[0]));
  const x = (runs) => atX + left + (Math.log10(runs) / widest) * (width - left - right);
  const y = (value) => atY + height - bottom - (value / most) * (height - top - bottom);
  const base = y(0);
  const marks = points.map(
    ([runs, value]) =>
      `<circle cx="${round(x(runs))}" cy="${round(y(value))}" r="3" fill="#1f6feb"><title>${runs}: ${round(value)}</title></circle>
<text x="${round(x(runs))}" y="${base + 14}" text-anchor="middle">${runs.toLocaleString('en-US')}</text>`,
  );
  const line = points.map(([runs, value]) => `${round(x(runs))},${round(y(value))}`).join(' ');
  return `<text x="${atX + 8}" y="${atY + 18}" font-weight="bold">${figure.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>
<line x1="${atX + left}" y1="${base}" x2="${atX + width - right}" y2="${base}" stroke="#999"/>
<text x="${atX + left - 6}" y="${base}" text-anchor="end">0</text>
<text x="${atX + left - 6}" y="${round(y(most)) + 4}" text-anchor="end">${round(most)}</text>
<polyline points="${line}" fill="none" stroke="#1f6feb" stroke-width="1.5"/>
${marks.join('\n')}`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
