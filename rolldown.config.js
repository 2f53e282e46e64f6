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

/** Packages that stay outside of the bundle and are installed beside it. */
export const unbundled = [
  'amqplib', // src/celery/amqp/amqplib.ts changes its internals
  'mongodb', // looks for optional packages beside itself
  'pino', // starts a file of its own as a thread
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
    plugins: [yogaWithoutFetch],
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
