// A full queue: each message is decoded, written to the journal, synced and acknowledged. Its runs wait for their eta, so
// nothing else happens meanwhile. Beside it, a consumer that only acknowledges.
import { openTrial, until } from './site.mjs';

export const title = 'messages taken from a full queue';

export async function measure(site, { messages = 10_000 }) {
  const bare = await consume(site, messages);
  const trial = await openTrial(site, { settings: { 'worker.inFlight': messages + 10 } });
  try {
    const eta = new Date(Date.now() + 3_600_000).toISOString();
    for (let index = 0; index < messages; index += 1) trial.publish({ headers: { eta } });
    await trial.channel.waitForConfirms();
    const start = performance.now();
    await trial.start();
    const consuming = performance.now() - start;
    await until(
      'the queue is empty',
      async () => (await trial.channel.checkQueue(trial.queue)).messageCount === 0,
      300,
    );
    const seconds = (performance.now() - start - consuming) / 1_000;
    return [{ what: `${messages} messages journaled and acknowledged (s)`, ours: seconds, bare, reach: 3 }];
  } finally {
    await trial.close();
  }
}

async function consume(site, messages) {
  const trial = await openTrial(site);
  try {
    for (let index = 0; index < messages; index += 1) trial.publish();
    await trial.channel.waitForConfirms();
    const channel = await site.connection.createChannel();
    await channel.prefetch(16);
    const began = performance.now();
    await new Promise((resolve) => {
      let taken = 0;
      void channel.consume(trial.queue, (message) => {
        channel.ack(message);
        taken += 1;
        if (taken === messages) resolve();
      });
    });
    const seconds = (performance.now() - began) / 1_000;
    await channel.close();
    return seconds;
  } finally {
    await trial.close();
  }
}
