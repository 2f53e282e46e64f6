import { describe, expect, test } from 'vitest';
import { drawSlide, encodeTiff } from '../../../src/sandbox/demo/slide.js';
import { analyze, readTiff } from '../../../src/sandbox/demo/tissue-fraction.js';

const draw = (seed: number) => Buffer.from(drawSlide({ seed, width: 200, height: 150 }).tiff);

describe('slide', () => {
  test('the same seed draws the same bytes, another seed others', () => {
    expect(draw(1).equals(draw(1))).toBe(true);
    expect(draw(1).equals(draw(2))).toBe(false);
  });

  test.each([
    [1, 1],
    [7, 64],
    [33, 65],
    [200, 300],
  ])('a %dx%d image comes back from its TIFF as it was', (width, height) => {
    const rgb = Uint8Array.from({ length: width * height * 3 }, (_, index) => (index * 7) % 256);
    const pixels = readTiff(encodeTiff(width, height, rgb));
    expect([pixels.width, pixels.height]).toEqual([width, height]);
    expect(Buffer.from(pixels.rgb).equals(Buffer.from(rgb))).toBe(true);
  });
});

describe('analysis', () => {
  test.each([1, 2, 3, 4, 5, 6])('finds what was drawn (seed %d)', (seed) => {
    const slide = drawSlide({ seed, width: 600, height: 450 });
    const { measurement, mask } = analyze(readTiff(slide.tiff));
    expect(Math.abs(measurement.tissueFraction - slide.tissueFraction)).toBeLessThan(0.01);
    // Nuclei that touch are counted as one.
    expect(measurement.nuclei).toBeGreaterThan(slide.nuclei * 0.6);
    expect(measurement.nuclei).toBeLessThanOrEqual(slide.nuclei);
    expect(mask.filter((value) => value === 255).length / mask.length).toBeCloseTo(
      measurement.tissueFraction,
      4,
    );
  });

  test('an image of one color has neither tissue nor nuclei', () => {
    const white = new Uint8Array(50 * 40 * 3).fill(250);
    expect(analyze({ width: 50, height: 40, rgb: white }).measurement).toMatchObject({
      tissueFraction: 0,
      nuclei: 0,
    });
  });

  test.each([
    ['nothing', new Uint8Array(0), /too short/],
    ['text', Buffer.from('no image at all'), /does not start like a TIFF/],
    [
      'half a slide',
      drawSlide({ seed: 1, width: 100, height: 100 }).tiff.subarray(0, 4_000),
      /cannot be read/,
    ],
  ])('%s is refused with a reason', (_name, bytes, words) => {
    expect(() => readTiff(bytes)).toThrow(words);
  });
});
