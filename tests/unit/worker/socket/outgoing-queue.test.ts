import { expect, test, vi } from 'vitest';

import { createOutgoingQueue } from '../../../../src/worker/socket/outgoing-queue.js';
import type { Message } from '../../../../src/worker/socket/protocol.js';

const asView = (patch: unknown): Message => ({ say: 'view', id: 1, patch });
const asSnapshot = (patch: unknown): Message => ({ say: 'snapshot', patch });

/** A client that accepts `room` messages, and no more until it is drained. */
function slowClient(room: number) {
  const got: Message[] = [];
  const client = { room };
  const mailbox = createOutgoingQueue((message) => {
    got.push(message);
    client.room -= 1;
    return client.room > 0;
  });
  return {
    got,
    mailbox,
    read(more: number) {
      client.room = more;
      mailbox.drained();
    },
  };
}

test('a slow client gets the newest of each view, and no backlog', () => {
  const { got, mailbox, read } = slowClient(1);
  mailbox.show('snapshot', { n: 0, same: 'x' }, asSnapshot);
  for (let n = 1; n <= 10_000; n++) {
    mailbox.show('snapshot', { n, same: 'x' }, asSnapshot);
    mailbox.show('log', [`line ${n}`], asView);
  }
  expect(got).toEqual([{ say: 'snapshot', patch: { v: { n: 0, same: 'x' } } }]);
  read(100);
  expect(got.slice(1)).toEqual([
    { say: 'snapshot', patch: { o: { n: { v: 10_000 } } } },
    { say: 'view', id: 1, patch: { v: ['line 10000'] } },
  ]);
});

test('answers are sent in any case, in their order, before views', async () => {
  const { got, mailbox, read } = slowClient(1);
  mailbox.show('snapshot', 1, asSnapshot);
  mailbox.show('snapshot', 2, asSnapshot);
  const sent: number[] = [];
  for (const id of [7, 8]) {
    void mailbox.post({ say: 'answer', id, value: null }).then(() => sent.push(id));
  }
  await Promise.resolve();
  expect(sent).toEqual([]);
  read(1);
  await vi.waitFor(() => expect(sent).toEqual([7]));
  read(10);
  expect(got.map((message) => ('id' in message ? message.id : message.say))).toEqual([
    'snapshot',
    7,
    8,
    'snapshot',
  ]);
});

test('what changed back in between, or is forgotten, is not sent', () => {
  const { got, mailbox, read } = slowClient(1);
  mailbox.show('snapshot', 'a', asSnapshot);
  mailbox.show('snapshot', 'b', asSnapshot);
  mailbox.show('snapshot', 'a', asSnapshot);
  mailbox.show('log', [], asView);
  mailbox.forget('log');
  read(10);
  expect(got).toHaveLength(1);
});
