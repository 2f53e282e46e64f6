import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import {
  cellWidth,
  cleanLogLine,
  cleanText,
  fit,
  fitMiddle,
  truncate,
  wrapCells,
  wrapWords,
} from '../../../../src/console/terminal/text.js';

const esc = '\u001B';

describe('cleanText', () => {
  test.each([
    ['plain', 'plain'],
    [`${esc}[31mred${esc}[0m`, 'red'],
    [`${esc}[2J${esc}[Hcleared`, 'cleared'],
    [`${esc}]0;new title\u0007after`, 'after'],
    [`${esc}]8;;http://x${esc}\\link${esc}]8;;${esc}\\`, 'link'],
    [`${esc}P1;2|dcs${esc}\\after`, 'after'],
    [`${esc}]52;c;unterminated`, ''],
    [`\u009B31m8-bit\u009D0;title\u009Cafter`, '8-bitafter'],
    [esc, ''],
    [`${esc}c${esc}7reset`, 'reset'],
    ['a\nb\tc\r\nd', 'a b c d'],
    ['bell\u0007 null\u0000', 'bell· null·'],
    ['\u202Egnp.exe', 'gnp.exe'],
    ['zero\u200Bwidth\uFEFF', 'zerowidth'],
    ['🇨🇭', 'CH'],
    ['❤️ 1️⃣', '❤ 1'],
    ['👍🏽', '👍'],
    ['e\u0301', 'é'],
    ['\u0301leading', 'leading'],
    ['a\u0334\u0335\u0336\u0337\u0338', 'a\u0334\u0335'],
    ['\uD800lone', '\uFFFDlone'],
    ['腫瘍 ÄÖ ñ', '腫瘍 ÄÖ ñ'],
  ])('cleans %j to %j', (hostile, shown) => {
    expect(cleanText(hostile)).toBe(shown);
  });

  test(
    'whatever comes in, no control character and no escape sequence comes out',
    { timeout: 60_000 },
    () => {
      const hostile = fc.string({
        unit: fc.oneof(
          fc.constantFrom(
            esc,
            '[',
            ']',
            'm',
            ';',
            '\u009B',
            '\u0007',
            '\r',
            '\n',
            '\t',
            '\u202E',
            '\u200D',
            '\u0301',
          ),
          fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        ),
      });
      fc.assert(
        fc.property(hostile, (text) => {
          expect(cleanText(text)).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
          expect(cleanLogLine(text)).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
        }),
      );
    },
  );

  test('cleans megabytes of combining marks quickly', () => {
    expect(cleanText('a' + '\u0301'.repeat(2_000_000)).length).toBeLessThan(10);
  });
});

describe('cleanLogLine', () => {
  test.each([
    ['a\tb', 'a       b'],
    ['12345678\tb', '12345678        b'],
    ['腫\tb', '腫      b'],
    ['10%\r50%\r100%', '100%'],
    ['done\r', 'done'],
    [`${esc}[32mok${esc}[0m`, 'ok'],
    ['', ''],
  ])('cleans %j to %j', (line, shown) => {
    expect(cleanLogLine(line)).toBe(shown);
  });
});

describe('widths', () => {
  test('agrees with string-width for narrow characters', () => {
    for (let code = 0x20; code < 0x3000; code += 1) {
      const letter = String.fromCodePoint(code);
      if (/\p{C}/u.test(letter)) continue;
      expect([code.toString(16), cellWidth(letter)]).toEqual([code.toString(16), stringWidth(letter)]);
    }
  });

  test.each([
    ['abcdef', 4, 'abc…'],
    ['abcd', 4, 'abcd'],
    ['腫瘍領域', 5, '腫瘍…'],
    ['腫瘍領域', 4, '腫…'],
    ['ab cd', 4, 'ab…'],
    ['abc', 0, ''],
  ])('truncates %j to %i cells as %j', (text, width, shown) => {
    expect(truncate(text, width)).toBe(shown);
  });

  test.each([
    ['Tissue fraction on slide 12.svs', 20, 'Tissue…slide 12.svs '],
    ['Tissue fraction on slide 12.svs', 31, 'Tissue fraction on slide 12.svs'],
    ['Tissue fraction on slide 12.svs', 33, 'Tissue fraction on slide 12.svs  '],
    ['Tissue fraction on slide 12.svs', 7, 'Tissue…'],
    ['Tissue fraction on slide 1.tiff', 22, 'Tissue fr…slide 1.tiff'],
    // the name of the slide stays whole if it fits; of a longer one, mostly the beginning stays
    ['Nuclei detection on TCGA-A2-1198-01Z-00-DX1.svs', 34, 'Nuclei…TCGA-A2-1198-01Z-00-DX1.svs'],
    ['Nuclei detection on TCGA-A2-1198-01Z-00-DX1.svs', 27, 'TCGA-A2-1198-01Z-00-DX1.svs'],
    ['Nuclei detection on TCGA-A2-1198-01Z-00-DX1.svs', 22, 'TCGA-A2-1198-0…DX1.svs'],
    ['腫瘍領域の解析と染色の評価 七', 12, '腫瘍…評価 七'],
    [`${'x'.repeat(4_000)}腫瘍 七`, 12, 'xxx…x腫瘍 七'],
  ])('fitMiddle shortens the middle of %j to %d cells', (text, width, shown) => {
    expect(fitMiddle(text, width)).toBe(shown);
    expect(stringWidth(shown)).toBe(width);
  });

  test('fit pads on either side to the exact width', () => {
    expect(fit('ab', 4)).toBe('ab  ');
    expect(fit('ab', 4, 'right')).toBe('  ab');
    expect(fit('腫瘍領域', 4)).toBe('腫… ');
  });

  test('fit returns exactly the requested width for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 30 }), (text, width) => {
        expect(stringWidth(fit(cleanText(text), width))).toBe(width);
      }),
    );
  });

  test('wrapCells keeps all characters and the maximum width', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 2, max: 20 }), (raw, width) => {
        const text = cleanText(raw);
        const lines = wrapCells(text, width);
        expect(lines.join('')).toBe(text);
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  test('wrapWords breaks between words if possible', () => {
    expect(wrapWords('No row holds that word', 10)).toEqual(['No row', 'holds that', 'word']);
    expect(wrapWords('abcdefghij k', 4)).toEqual(['abcd', 'efgh', 'ij k']);
    expect(wrapWords('see docs/doctor.md#directories-logs', 24)).toEqual([
      'see',
      'docs/doctor.md#',
      'directories-logs',
    ]);
  });
});
