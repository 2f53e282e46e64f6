// Puts the modules of build/ and the packages they use together into dist/, which is what bin/dsa-slurm runs. The console
// alone would read some thousand files at its start (four hundred of them for one function that Ink uses): a third of a
// second on a local disk, and many seconds where a home directory is on NFS.
import { defineConfig } from 'rolldown';

const output = { dir: 'dist', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' };

/** Ink's layout would `fetch` its own code out of a data: URL, for which Node loads all of its HTTP client. */
const yogaWithoutFetch = {
  name: 'yoga-without-fetch',
  transform: {
    filter: { id: /yoga-wasm-base64-esm\.js$/ },
    handler: (code) => `const fetch = undefined;\n${code}`,
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
    input: { 'cli/main': 'build/cli/main.js' },
    platform: 'node',
    // Ink would load react-devtools-core, if it were installed and asked for
    external: [...unbundled, 'react-devtools-core'],
    // React's development build takes twice the time
    transform: { define: { 'process.env.NODE_ENV': JSON.stringify('production') } },
    plugins: [yogaWithoutFetch],
    output: { ...output, cleanDir: true },
  },
  {
    // programs of one file each, which the practice site copies and starts
    input: {
      'sandbox/fake-apptainer': 'build/sandbox/fake-apptainer.js',
      'sandbox/demo/tissue-fraction': 'build/sandbox/demo/tissue-fraction.js',
    },
    platform: 'node',
    output,
  },
]);
