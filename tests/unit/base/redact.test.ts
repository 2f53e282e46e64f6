import { describe, expect, it, test } from 'vitest';
import {
  createMessageMask,
  createTextMask,
  maskArguments,
  maskAssignment,
  maskText,
  maskUrl,
} from '../../../src/base/text/redact.js';

describe('maskArguments', () => {
  const token = 'aB3'.repeat(21) + 'x';

  test.each([
    [
      ['--girderToken', 'short'],
      ['--girderToken', '***'],
    ],
    [['--api-key=abc'], ['--api-key=***']],
    [[token], ['***']],
    [[`x${token}`], [`x${token}`]],
    [['amqp://user:pass@host/'], ['amqp://user:***@host/']],
    [
      ['--token', '--other'],
      ['--token', '--other'],
    ],
    // neither a digest nor the key of a run is a secret
    [[`dsa-slurm-sha256.${'0f'.repeat(32)}`], [`dsa-slurm-sha256.${'0f'.repeat(32)}`]],
    [['/data/slide 1.svs'], ['/data/slide 1.svs']],
  ])('%j', (args, shown) => {
    expect(maskArguments(args)).toEqual(shown);
  });
});

describe('createMessageMask', () => {
  it.each([
    [{ token: 'abcdef123' }, 'curl abcdef123', 'curl ***'],
    [{ a: [{ 'Girder-Token': 'abcdef123' }] }, 'x=abcdef123', 'x=***'],
    [['--girderToken', 'abcdef123'], 'abcdef123', '***'],
    [['--api-key=abcdef123'], '--api-key=abcdef123', '--api-key=***'],
    [['DB_PASSWORD=abcdef123'], 'abcdef123', '***'],
    [{}, 'http://me:abc@host/x', 'http://me:***@host/x'],
    [{}, 'http://host/x?token=abc&y=1', 'http://host/x?token=***&y=1'],
    // the letters of a short one occur in other words
    [{ password: 'a' }, 'a banana', 'a banana'],
    [{ password: 'a' }, 'a', '***'],
    [['--token', '--level', '3'], '--level', '--level'],
    [['clientSecret1=abcdef123'], 'abcdef123', '***'],
    [{ accesstoken: 'abcdef123' }, 'abcdef123', '***'],
    // neither the names nor the values are secrets
    [['--tokenize', 'greedy'], 'greedy', 'greedy'],
    [{ token: true, password: 'true' }, 'true', 'true'],
    [['--secret=false'], '--level=false', '--level=false'],
  ])('of %j masks the secrets in %j', (source, text, shown) => {
    expect(createMessageMask(source)(text)).toBe(shown);
  });

  it('masks values by their names, and everything below headers', () => {
    expect(
      createMessageMask({})({
        token: 't',
        headers: { 'X-Any': 'v', list: ['w'] },
        tokens: 3,
        apiKey: '',
        name: 'n',
      }),
    ).toEqual({
      token: '***',
      headers: { 'X-Any': '***', list: ['***'] },
      tokens: 3,
      apiKey: '',
      name: 'n',
    });
  });
});

describe('planted secrets', () => {
  const addresses = [
    ['amqp://user:secret@host/', 'amqp://user:***@host/'],
    ['amqp://user:se/cret@host/', 'amqp://user:***@host/'],
    ['amqp://user:se@cret@host/', 'amqp://user:***@host/'],
    ['amqp://user:123/secret@host/', 'amqp://user:***@host/'],
    ['mongodb://me@lab:se:cret@a:27017,b:27017/girder', 'mongodb://me@lab:***@a:27017,b:27017/girder'],
    ['https://user:se/cret@host/x', 'https://user:***@host/x'],
    ['http://host/x?token=secret&y=1', 'http://host/x?token=***&y=1'],
  ] as const;

  it.each(addresses)('%s is masked in texts, arguments, files and messages', (address, shown) => {
    const line = `sbatch: error: ${address} refused`;
    const masked = `sbatch: error: ${shown} refused`;
    expect(maskText(line)).toBe(masked);
    expect(createTextMask([])(line)).toBe(masked);
    expect(maskArguments(['--url', address, `--url=${address}`])).toEqual(['--url', shown, `--url=${shown}`]);
    expect(maskAssignment(maskText(line))).not.toContain('cret');
    expect(createMessageMask({})({ url: [address] })).toEqual({ url: [shown] });
    expect(maskUrl(address)).not.toContain('cret');
  });

  it.each([
    'docker://registry:5000/name@sha256:0f',
    'http://host:8080/x?mail=a@b',
    'mongodb://a:27017,b:27017/girder',
    'amqp://user:password@rabbitmq/',
    'dsa-slurm --profile slow config set broker.url',
  ])('%s is not changed', (text) => {
    expect(maskText(text)).toBe(text);
    expect(maskArguments(text.split(' '))).toEqual(text.split(' '));
  });

  it('are masked as they are, in a URL and in INI files', () => {
    expect(createTextMask(['a%b/c@d'])('a%b/c@d a%25b%2Fc%40d a%%b/c@d')).toBe('*** *** ***');
  });

  it('of less than six characters are not replaced in texts', () => {
    expect(createTextMask(['slurm', 'p', ''])('dsa-slurm worker --profile p')).toBe(
      'dsa-slurm worker --profile p',
    );
  });

  it.each([
    ['RABBITMQ_DEFAULT_PASS: x', 'RABBITMQ_DEFAULT_PASS: ***'],
    ['{"user": "a", "apiKey": "x"}', '{"user": "a", "apiKey": ***'],
    ['environment: GIRDER_PASSWORD=x', 'environment: GIRDER_PASSWORD=***'],
    ['A_PASSWORD: ${A_PASSWORD:?see .env}', 'A_PASSWORD: ${A_PASSWORD:?see .env}'],
    ['bypass: x', 'bypass: x'],
  ])('in the line %s are masked by the name of their setting', (line, shown) => {
    expect(maskAssignment(line)).toBe(shown);
  });
});
