import { describe, expect, it } from 'vitest';
import { readMessageFile } from '../../../../src/worker/explain/message-file.js';

describe('readMessageFile', () => {
  it("reads the contract's form and amqplib's alike", () => {
    const ours = readMessageFile(
      '{"exchange":"","routing_key":"q","properties":{"content_type":"application/json","reply_to":"r","correlation_id":"c","content_encoding":"utf-8","priority":3},"headers":{"id":"1"},"body":"[]"}',
    );
    expect(ours).toEqual({
      fields: { routingKey: 'q', redelivered: false },
      properties: {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        correlationId: 'c',
        replyTo: 'r',
        priority: 3,
        headers: { id: '1' },
      },
      content: Buffer.from('[]'),
    });
    expect(
      readMessageFile(
        '{"fields":{"routingKey":"q"},"properties":{"contentType":"application/json","replyTo":"r","correlationId":"c","contentEncoding":"utf-8","priority":3,"headers":{"id":"1"}},"body":"[]"}',
      ),
    ).toEqual(ours);
  });

  it.each(['', '[]', 'null', '{', '{"headers":{}}', '{"headers":[],"body":""}', '{"headers":{},"body":3}'])(
    'refuses %j with a sentence',
    (text) => {
      expect(() => readMessageFile(text)).toThrow('This is no task message.');
    },
  );
});
