// Not in the gate: npm run test:girder -- --load [--girder 3]
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logOf, openRig, status, statusesOf, type Rig } from '../support/rig.js';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterAll(async () => {
  await rig.close();
});

const runs = 200;

test(`${runs} runs: none is lost or doubled, and no line of a log is`, async () => {
  const lines = 5;
  const [{ _id: input }, folder] = await Promise.all([rig.slide('a slide'), rig.folder('results')]);
  const numbers = Array.from({ length: runs }, (_, index) => index + 1);
  const published: { _id: string }[] = [];
  const waiting = numbers.values();
  const publish = async () => {
    for (const number of waiting)
      published.push(
        await rig.run('Wait', { input, output: `${number}.txt`, output_folder: folder, lines, gate: '' }),
      );
  };
  await Promise.all(Array.from({ length: 4 }, publish));

  const wrong: object[] = [];
  for (const job of published) {
    const ended = await rig.ended(job, 600_000);
    const log = logOf(ended);
    const seen = [...log.matchAll(/^(?:line|that was line) \d+$/gm)].map(([line]) => line);
    const right = [
      ...Array.from({ length: lines }, (_, index) => `line ${index + 1}`),
      `that was line ${lines}`,
    ];
    const isRight =
      ended.status === status.success &&
      statusesOf(ended).join() === [status.running, status.success].join() &&
      seen.join() === right.join() &&
      log.split('Fetching').length === 2;
    if (!isRight) wrong.push({ statuses: statusesOf(ended), log });
  }
  expect(wrong).toEqual([]);
  const results = await rig.files(folder);
  expect(results).toEqual(Object.fromEntries(numbers.map((number) => [`${number}.txt`, `${lines} lines`])));
}, 900_000);
