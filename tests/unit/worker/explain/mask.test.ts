import { describe, expect, it } from 'vitest';
import { createMask } from '../../../../src/worker/explain/mask.js';

describe('createMask', () => {
  it.each([
    [{ token: 'abcdef123' }, 'curl abcdef123', 'curl [secret]'],
    [{ a: [{ 'Girder-Token': 'abcdef123' }] }, 'x=abcdef123', 'x=[secret]'],
    [['--girderToken', 'abcdef123'], 'abcdef123', '[secret]'],
    [['--api-key=abcdef123'], '--api-key=abcdef123', '--api-key=[secret]'],
    [['DB_PASSWORD=abcdef123'], 'abcdef123', '[secret]'],
    [{}, 'http://me:abc@host/x', 'http://me:[secret]@host/x'],
    [{}, 'http://host/x?token=abc&y=1', 'http://host/x?token=[secret]&y=1'],
    // a short one is in every other word
    [{ password: 'a' }, 'a banana', 'a banana'],
    [{ password: 'a' }, 'a', '[secret]'],
    [['--token', '--level', '3'], '--level', '--level'],
    [['clientSecret1=abcdef123'], 'abcdef123', '[secret]'],
    [{ accesstoken: 'abcdef123' }, 'abcdef123', '[secret]'],
    // about words, and about nothing secret
    [['--tokenize', 'greedy'], 'greedy', 'greedy'],
    [{ token: true, password: 'true' }, 'true', 'true'],
    [['--secret=false'], '--level=false', '--level=false'],
  ])('of %j hides what is secret in %j', (source, text, shown) => {
    expect(createMask(source)(text)).toBe(shown);
  });

  it('hides values by their names, and all that stands under headers', () => {
    expect(
      createMask({})({
        token: 't',
        headers: { 'X-Any': 'v', list: ['w'] },
        tokens: 3,
        apiKey: '',
        name: 'n',
      }),
    ).toEqual({
      token: '[secret]',
      headers: { 'X-Any': '[secret]', list: ['[secret]'] },
      tokens: 3,
      apiKey: '',
      name: 'n',
    });
  });
});
