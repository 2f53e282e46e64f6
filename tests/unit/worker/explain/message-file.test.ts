import { describe, expect, it } from 'vitest';
import { readMessageFile } from '../../../../src/worker/explain/message-file.js';

describe('readMessageFile', () => {
  it("reads the contract's form and amqplib's alike", () => {
    const { delivery: ours } = readMessageFile(
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
    ).toEqual({ delivery: ours, note: null });
  });

  it("reads what RabbitMQ's management shows, and says what that has lost", () => {
    const headers = { id: '1', eta: 'undefined', timelimit: ['undefined', 5], girder_result_hooks: [{}] };
    const shown = (message: object) =>
      readMessageFile(
        JSON.stringify([
          {
            payload_bytes: 4,
            redelivered: true,
            exchange: '',
            routing_key: 'q',
            message_count: 0,
            properties: { content_type: 'application/json', priority: 3, headers },
            ...message,
          },
        ]),
      );
    const { delivery, note } = shown({ payload: '[""]', payload_encoding: 'string' });
    expect(delivery).toMatchObject({
      fields: { routingKey: 'q', redelivered: true },
      properties: {
        contentType: 'application/json',
        priority: 3,
        headers: { id: '1', eta: null, timelimit: [null, 5] },
      },
      content: Buffer.from('[""]'),
    });
    expect(delivery.properties.headers).not.toHaveProperty('girder_result_hooks');
    expect(note).toContain('outputs');
    expect(shown({ payload: 'gF0=', payload_encoding: 'base64' }).delivery.content).toEqual(
      Buffer.from([0x80, 0x5d]),
    );
  });

  it('reads what the worker keeps of a run that failed', () => {
    const { delivery, note } = readMessageFile('{"headers":{"id":"1","eta":"undefined"},"body":"[]"}');
    expect(delivery.properties).toMatchObject({
      contentType: 'application/json',
      headers: { id: '1', eta: 'undefined' },
    });
    expect(note).toBeNull();
  });

  it.each([
    '',
    '[]',
    '[{}, {}]',
    'null',
    '{',
    '{"headers":{}}',
    '{"headers":[],"body":""}',
    '{"headers":{},"body":3}',
  ])('refuses %j with a sentence', (text) => {
    expect(() => readMessageFile(text)).toThrow('This is not a task message.');
  });
});
