import { expect, it } from 'vitest';
import { createProgressLines } from '../../../../src/worker/logs/progress-lines.js';

it('reads the latest progress, and ignores invalid and unfinished lines', () => {
  const lines = createProgressLines();
  const push = (text: string) => lines.push(Buffer.from(text));
  expect(push('{"total": 10, "current": 1, "message": "a"}\n{"current": 2}\n{"curr')).toEqual({
    total: 10,
    current: 2,
    message: 'a',
  });
  expect(push('ent": 3}')).toBeNull();
  expect(push('\nno json\n[]\n{"current": "x"}\n{"other": 1}\n')).toEqual({
    total: 10,
    current: 3,
    message: 'a',
  });
  expect(push('x'.repeat(70_000))).toBeNull();
  expect(push('}\n{"message": "é漢"}\n')).toMatchObject({ message: 'é漢' });
  push('{"message": "lo');
  lines.restart();
  expect(push('{"current": 9}\n')).toMatchObject({ current: 9 });
});

it('keeps characters whole that are split between two chunks', () => {
  const lines = createProgressLines();
  const bytes = Buffer.from('{"message": "漢"}\n');
  expect(lines.push(bytes.subarray(0, 14))).toBeNull();
  expect(lines.push(bytes.subarray(14))).toMatchObject({ message: '漢' });
});
