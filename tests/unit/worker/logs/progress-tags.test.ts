import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createProgressTags } from '../../../../src/worker/logs/progress-tags.js';

function feed(...pieces: string[]): { text: string; progress: unknown[] } {
  const tags = createProgressTags();
  let text = '';
  const progress: unknown[] = [];
  for (const piece of pieces) {
    const out = tags.push(piece);
    text += out.text;
    if (out.progress !== null) progress.push(out.progress);
  }
  return { text: text + tags.end(), progress };
}

describe('progress tags', () => {
  test('ordinary log lines pass unchanged, angle brackets included', () => {
    expect(feed('a < b\n<p>html</p>\n', 'x <filt').text).toBe('a < b\n<p>html</p>\nx <filt');
  });

  test('a start block sets name and comment; a progress tag sets the fraction', () => {
    const out = feed(
      'before\n<filter-start>\n<filter-name>Seg &amp; count</filter-name>\n<filter-comment> tiles </filter-comment>\n</filter-start>\n',
      '<filter-progress>0.25</filter-progress>\nafter\n',
    );
    expect(out.text).toBe('before\nafter\n');
    expect(out.progress).toEqual([{ total: 1, current: 0.25, message: 'tiles' }]);
  });

  test('names and comments are unescaped, once', () => {
    const block = '<filter-comment>a &lt; b &amp; c &gt; d, &amp;lt;</filter-comment>';
    expect(feed(`${block}<filter-progress>1</filter-progress>`).progress).toEqual([
      { total: 1, current: 1, message: 'a < b & c > d, &lt;' },
    ]);
  });

  test.each(['time', 'stage-progress', 'progress', 'name', 'comment', 'start', 'end'])(
    'the element %s and the white space after it are removed from the log',
    (name) => {
      expect(feed(`a\n<filter-${name}>0.5</filter-${name}> \nb\n`).text).toBe('a\nb\n');
    },
  );

  test('text between two blocks stays in the log', () => {
    const block = '<filter-start><filter-name>A</filter-name></filter-start>\n';
    expect(feed(`${block}one\n${block}two\n`).text).toBe('one\ntwo\n');
  });

  test.each([
    ['no number', '<filter-progress>half</filter-progress>'],
    ['an empty value', '<filter-progress></filter-progress>'],
    ['an infinite one', '<filter-progress>1e999</filter-progress>'],
  ])('%s is ignored', (_, text) => {
    expect(feed(text)).toEqual({ text: '', progress: [] });
  });

  test('without comment the name is the message, without either "Unknown"', () => {
    expect(feed('<filter-name>N</filter-name><filter-progress>1</filter-progress>').progress).toEqual([
      { total: 1, current: 1, message: 'N' },
    ]);
    expect(feed('<filter-progress>1</filter-progress>').progress).toEqual([
      { total: 1, current: 1, message: 'Unknown' },
    ]);
  });

  test('a tag that never closes does not hold back the log forever', () => {
    const tags = createProgressTags();
    let out = tags.push('kept\n<filter-start>').text;
    for (let i = 0; i < 2_000; i += 1) out += tags.push(`line ${i} ${'x'.repeat(60)}\n`).text;
    expect(out.startsWith('kept\n')).toBe(true);
    expect(out).toContain('line 1000 ');
  });

  test('the result does not depend on the chunk boundaries', () => {
    const log =
      'a\n<filter-start><filter-name>n</filter-name><filter-comment>c</filter-comment></filter-start>\nb <filter\n' +
      '<filter-progress>0.5</filter-progress>\nlast <filter-unknown>x</filter-unknown>';
    const whole = feed(log);
    fc.assert(
      fc.property(fc.array(fc.nat(log.length), { maxLength: 8 }), (cuts) => {
        const at = [0, ...[...cuts].sort((a, b) => a - b), log.length];
        const pieces = at.slice(1).map((end, index) => log.slice(at[index], end));
        expect(feed(...pieces)).toEqual(whole);
      }),
    );
  });
});
