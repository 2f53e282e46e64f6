import { describe, expect, test } from 'vitest';
import { readBrokerUrl } from '../../../../src/celery/amqp/broker-url.js';
import { checkQueueNames } from '../../../../src/celery/amqp/topology.js';
import { toBrokerError } from '../../../../src/celery/amqp/broker-errors.js';

describe('readBrokerUrl', () => {
  test.each<[string, object]>([
    ['amqp://guest:guest@localhost/', { hostname: 'localhost', port: 5672, user: 'guest', virtualHost: '/' }],
    ['amqp://localhost', { user: 'guest', virtualHost: '/', connect: { password: 'guest' } }],
    ['amqp://u:p%40ss%2F@h:1//', { user: 'u', port: 1, virtualHost: '/', connect: { password: 'p@ss/' } }],
    ['amqp://u:p@h/%2F', { virtualHost: '/' }],
    ['amqp://u:p@h/dsa', { virtualHost: 'dsa', connect: { vhost: 'dsa', heartbeat: 60 } }],
    ['pyamqp://u:p@h/dsa', { tls: false, connect: { protocol: 'amqp' } }],
    ['amqps://u:p@h/dsa', { tls: true, port: 5671, connect: { protocol: 'amqps' } }],
    ['amqp://u:p@[::1]:99/', { hostname: '::1', port: 99 }],
  ])('%s', (url, expected) => {
    expect(readBrokerUrl(url)).toMatchObject(expected);
  });

  test.each(['', 'localhost', 'amqp://', 'redis://u:hunter2@h/0', 'amqp://u:hunter2%@h/', 'amqp://u:p@h:x'])(
    'rejects %s without showing its password',
    (url) => {
      expect(() => readBrokerUrl(url)).toThrow(
        expect.objectContaining({
          code: 'broker',
          next: expect.stringContaining('amqp://user:password@host:5672/vhost') as string,
        }),
      );
      expect(() => readBrokerUrl(url)).not.toThrow('hunter2');
    },
  );
});

describe('toBrokerError', () => {
  const address = readBrokerUrl('amqp://dsa:hunter2@rabbit.example/lab');

  test.each<[string, Error, boolean, RegExp]>([
    [
      'wrong password',
      new Error(
        'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."',
      ),
      true,
      /refused the user "dsa" or its password/,
    ],
    [
      'wrong virtual host',
      new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>'),
      true,
      /virtual host "lab"/,
    ],
    [
      'other arguments',
      amqpError(
        406,
        "QueueDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - inequivalent arg 'x-max-priority' for queue 'it's' in vhost '/': received none but current is the value '10' of type 'byte'\"",
      ),
      true,
      /queue "it's" exists already.*"x-max-priority" is '10' of type 'byte' and should be none/,
    ],
    [
      'no permission',
      amqpError(
        403,
        "QueueDeclare; 403 (ACCESS-REFUSED) with message \"ACCESS_REFUSED - configure access to queue 'celery' in vhost 'lab' refused for user 'dsa'\"",
      ),
      true,
      /denied the user "dsa" permission: configure access/,
    ],
    ['nothing there', systemError('ECONNREFUSED'), false, /Nothing listens at rabbit\.example:5672/],
    ['unknown host', systemError('ENOTFOUND'), false, /host name "rabbit\.example"/],
    ['no route', systemError('EHOSTUNREACH'), false, /cannot be reached/],
    ['silence', new Error('connect ETIMEDOUT'), false, /does not answer/],
    ['plain TCP instead of TLS', systemError('ERR_SSL_WRONG_VERSION_NUMBER'), true, /does not speak TLS/],
    [
      'a foreign certificate',
      systemError('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'),
      true,
      /certificate/,
    ],
    ['HTTP', new Error('Frame size 1345270062 exceeds maxFrameSize 67108864'), true, /does not speak AMQP/],
    [
      'an early end',
      new Error('Socket closed abruptly during opening handshake'),
      false,
      /while it was being opened/,
    ],
    [
      'a restart',
      amqpError(
        320,
        'Connection closed: 320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - broker forced connection closure with reason \'shutdown\'"',
      ),
      false,
      /broker forced connection closure/,
    ],
    ['a broken wire', new Error('Unexpected close'), false, /was lost/],
    ['a dead wire', new Error('Heartbeat timeout'), false, /two minutes/],
    ['anything else', new Error('surprise'), false, /surprise/],
  ])('%s', (_, thrown, lasting, sentence) => {
    const problem = toBrokerError(thrown, address);
    expect(problem.permanent).toBe(lasting);
    expect(problem.error.message).toMatch(sentence);
    expect(problem.error).toMatchObject({ code: 'broker', next: expect.stringMatching(/\S/) as string });
    expect(`${problem.error.message} ${problem.error.next}`).not.toMatch(/hunter2|\.\./);
  });
});

describe('checkQueueNames', () => {
  test('takes usual names and refuses what cannot work', () => {
    expect(() => checkQueueNames(['celery', 'gpu'])).not.toThrow();
    for (const queues of [[], ['local'], ['celery', 'celery'], [''], ['x'.repeat(256)], ['amq.gen']]) {
      expect(() => checkQueueNames(queues)).toThrow(expect.objectContaining({ code: 'config' }));
    }
  });
});

function systemError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

function amqpError(code: number, message: string): Error {
  return Object.assign(new Error(message), { code });
}
