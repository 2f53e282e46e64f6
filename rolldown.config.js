// Bundles the modules of src/ and the packages they use into dist/, which is what bin/dsa-slurm runs. The console
// alone would read some thousand files at its start (four hundred of them for one function that Ink uses): a third of a
// second on a local disk, and many seconds where a home directory is on NFS.
import { defineConfig } from 'rolldown';

const output = {
  dir: 'dist',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  // `dsa-slurm --debug` names the lines of src/ in its stack traces
  sourcemap: true,
  sourcemapExcludeSources: true,
};

/** Imports in src/ name the compiled file, as Node wants them. */
const resolve = { extensionAlias: { '.js': ['.ts', '.tsx', '.js'] } };

/** Ink's layout would `fetch` its own code out of a data: URL, for which Node loads all of its HTTP client. */
const yogaWithoutFetch = {
  name: 'yoga-without-fetch',
  transform: {
    filter: { id: /yoga-wasm-base64-esm\.js$/ },
    handler: (code) => ({ code: `const fetch = undefined; ${code}`, map: null }),
  },
};

const oursOf = (file) => new URL(`src/base/text/${file}`, import.meta.url).pathname;

/**
 * Ink and what it uses to measure and cut text load the Unicode data of all scripts and emoji as soon as they are imported, six
 * times, which takes a quarter of the console's start. Here they load it when they meet such text.
 */
const unicodeWhenNeeded = {
  name: 'unicode-when-needed',
  resolveId: {
    filter: { id: /^string-width$/ },
    async handler(source, importer, options) {
      // one copy for all: the project's own
      return this.resolve(source, new URL('src/index.ts', import.meta.url).pathname, {
        ...options,
        skipSelf: true,
      });
    },
  },
  transform: {
    filter: {
      id: /node_modules\/(ink\/build\/line-update|@alcalzone\/ansi-tokenize\/build\/tokenize|slice-ansi\/tokenize-ansi|(string-width|wrap-ansi|cli-truncate)\/index)\.js$/,
    },
    handler(code, id) {
      const segmenters = /new Intl\.Segmenter\([^()]*\)/g;
      if (!segmenters.test(code)) throw new Error(`${id} has no longer a segmenter`);
      let changed = code.replaceAll(segmenters, 'ownSegmenter');
      changed += `\nimport { segmenter as ownSegmenter } from ${JSON.stringify(oursOf('segmenter.ts'))};\n`;
      if (id.endsWith('string-width/index.js')) {
        changed = replaceAll(id, changed, [
          [
            /const emojiPrefixRegex = (\/.+\/v);/,
            'let emoji; const emojiPrefixRegex = { test: (text) => (emoji ??= $1).test(text), exec: (text) => (emoji ??= $1).exec(text) };',
          ],
          [
            /(?=return nonAsciiOrControlRegex\.test)/,
            'if (ambiguousIsNarrow && isNarrow(string)) return string.length;\n',
          ],
        ]);
        changed += `import { isNarrow } from ${JSON.stringify(oursOf('cells.ts'))};\n`;
      }
      return { code: changed, map: null };
    },
  },
};

/** @throws Error if the code of a package has changed, so that something to replace is not there */
function replaceAll(id, code, changes) {
  return changes.reduce((before, [old, fresh]) => {
    const after = before.replace(old, fresh);
    if (after === before) throw new Error(`${id} has no longer: ${old}`);
    return after;
  }, code);
}

/**
 * Ink measures and parses every line of the screen again for each frame, although most lines were in the frame before. Here it
 * keeps what these pure functions returned, as its own cache of text sizes does.
 */
const inkKeepsLines = {
  name: 'ink-keeps-lines',
  transform: {
    filter: { id: /ink\/build\/(output|render-node-to-output|squash-text-nodes)\.js$/ },
    handler(code, id) {
      return { code: replaceAll(id, code, inkChanges[id.split('/').at(-1)]), map: null };
    },
  },
};

/** By file of Ink: what is replaced, and by what. */
const inkChanges = {
  'output.js': [
    ['caches = new OutputCaches();', 'caches = keptCaches();'],
    [
      'export default class Output {',
      `let kept = new OutputCaches();
      const keptCaches = () => {
        if (kept.styledChars.size > 2048 || kept.widths.size > 4096) kept = new OutputCaches();
        return kept;
      };
      const blank = Object.freeze({ type: 'char', value: ' ', fullWidth: false, styles: [] });
      export default class Output {`,
    ],
    [
      `row.push({
                    type: 'char',
                    value: ' ',
                    fullWidth: false,
                    styles: [],
                });`,
      'row.push(blank);',
    ],
  ],
  'render-node-to-output.js': [
    [
      "import widestLine from 'widest-line';",
      "import measureText from './measure-text.js'; const widestLine = (text) => measureText(text).width;",
    ],
  ],
  'squash-text-nodes.js': [
    [
      "import sanitizeAnsi from './sanitize-ansi.js';",
      `import QuickLRU from 'quick-lru';
      import sanitizeLine from './sanitize-ansi.js';
      const lines = new QuickLRU({ maxSize: 2048 });
      const sanitizeAnsi = (text) => {
        let clean = lines.get(text);
        if (clean === undefined) lines.set(text, (clean = sanitizeLine(text)));
        return clean;
      };`,
    ],
  ],
};

/** Packages that stay outside of the bundle and are installed beside it. */
export const unbundled = [
  'amqplib', // src/celery/amqp/amqplib.ts changes its internals
  'mongodb', // looks for optional packages beside itself
];

export default defineConfig([
  {
    input: { 'cli/main': 'src/cli/main.ts' },
    platform: 'node',
    resolve,
    // Ink would load react-devtools-core, if it were installed and asked for
    external: [...unbundled, 'react-devtools-core'],
    // React's development build takes twice the time
    transform: { define: { 'process.env.NODE_ENV': JSON.stringify('production') } },
    plugins: [yogaWithoutFetch, inkKeepsLines, unicodeWhenNeeded],
    output: { ...output, cleanDir: true },
  },
  {
    // programs of one file each, which the sandbox copies and starts
    input: {
      'sandbox/fake-apptainer': 'src/sandbox/fake-apptainer/index.ts',
      'sandbox/demo/tissue-fraction': 'src/sandbox/demo/tissue-fraction.ts',
    },
    platform: 'node',
    resolve,
    output,
  },
]);
