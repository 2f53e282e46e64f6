// Two parts of the worker: the journal, and the parser of progress tags.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLog } from '../../build/base/log.js';
import { createProgressTags } from '../../build/worker/logs/progress-tags.js';
import { openJournal } from '../../build/worker/run-state/journal.js';

export const title = 'parts of the worker';
export const needsSite = false;

export async function measure(_site, { events = 2_000, pieces = 100 }) {
  return [await journal(events), progressTags(pieces)];
}

async function journal(events) {
  const directory = mkdtempSync(join(tmpdir(), 'dsa-slurm-bench-'));
  try {
    const event = { type: 'log-sent', at: 1, offset: 123_456 };
    const lease = { hold: async () => {}, confirm: async () => {} };
    const { journal: ours } = await openJournal(join(directory, 'state'), silentLog(), lease);
    let start = performance.now();
    await Promise.all(Array.from({ length: events }, () => ours.append('run', event)));
    const grouped = performance.now() - start;
    await ours.close();
    const plain = openSync(join(directory, 'plain'), 'a');
    start = performance.now();
    for (let index = 0; index < events; index += 1) {
      writeSync(plain, `${JSON.stringify({ run: 'run', event })}\n`);
      fdatasyncSync(plain);
    }
    const single = performance.now() - start;
    closeSync(plain);
    return { what: `journal: ${events} events / one fdatasync each (ms)`, ours: grouped, bare: single };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function progressTags(pieces) {
  const line = 'a line of an ordinary log, about eighty characters long, without any tag in it\n';
  const piece = Buffer.from(`${line.repeat(3_000)}<filter-progress>0.5</filter-progress>\n`);
  const timed = (work) => {
    const start = performance.now();
    for (let index = 0; index < pieces; index += 1) work(piece.toString('utf8'));
    return performance.now() - start;
  };
  const bare = timed(() => {});
  const tags = createProgressTags();
  return {
    what: 'log: with progress tags / as text only (ms)',
    ours: timed((text) => tags.push(text)),
    bare,
  };
}
