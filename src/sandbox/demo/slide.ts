/** A synthetic slide: what was drawn, and the image file. */
export interface Slide {
  /** TIFF, uncompressed RGB in strips. */
  tiff: Uint8Array;
  /** Fraction of pixels that were drawn as tissue, which an analysis should approximately find. */
  tissueFraction: number;
  /** Nuclei that were drawn; some touch one another. */
  nuclei: number;
}

export interface SlideOptions {
  seed: number;
  width: number;
  height: number;
}

/** Draws glass, a few pieces of pink tissue and dark nuclei in them. The same seed gives the same bytes. */
export function drawSlide({ seed, width, height }: SlideOptions): Slide {
  const random = randomFrom(seed);
  const rgb = new Uint8Array(width * height * 3);
  const pieces = Array.from({ length: 3 + Math.floor(random() * 3) }, () => ({
    x: width * (0.15 + 0.7 * random()),
    y: height * (0.15 + 0.7 * random()),
    a: width * (0.1 + 0.15 * random()),
    b: height * (0.1 + 0.2 * random()),
    lobes: 2 + Math.floor(random() * 4),
    phase: random() * 6,
  }));
  const isTissue = (x: number, y: number) =>
    pieces.some((piece) => {
      const [dx, dy] = [(x - piece.x) / piece.a, (y - piece.y) / piece.b];
      const edge = 1 + 0.15 * Math.sin(piece.lobes * Math.atan2(dy, dx) + piece.phase);
      return dx * dx + dy * dy < edge * edge;
    });
  let tissue = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const inside = isTissue(x, y);
      if (inside) tissue += 1;
      paint(rgb, y * width + x, inside ? [222, 148, 190] : [243, 241, 244], inside ? 14 : 4, random);
    }
  }
  let nuclei = 0;
  for (let attempt = 0; attempt < (width * height) / 700; attempt += 1) {
    const [x, y] = [Math.floor(random() * width), Math.floor(random() * height)];
    const radius = 2.5 + 2 * random();
    if (!isTissue(x, y) || !isTissue(x - radius, y) || !isTissue(x + radius, y)) continue;
    nuclei += 1;
    for (let dy = -5; dy <= 5; dy += 1) {
      for (let dx = -5; dx <= 5; dx += 1) {
        const [px, py] = [x + dx, y + dy];
        if (dx * dx + dy * dy > radius * radius) continue;
        if (px < 0 || py < 0 || px >= width || py >= height) continue;
        paint(rgb, py * width + px, [88, 58, 132], 8, random);
      }
    }
  }
  return { tiff: encodeTiff(width, height, rgb), tissueFraction: tissue / (width * height), nuclei };
}

function paint(
  rgb: Uint8Array,
  pixel: number,
  color: readonly [number, number, number],
  noise: number,
  random: () => number,
): void {
  const shift = (random() - 0.5) * noise;
  color.forEach((value, channel) => {
    rgb[pixel * 3 + channel] = Math.max(0, Math.min(255, Math.round(value + shift)));
  });
}

/** Little-endian TIFF 6.0 with one strip for every 64 rows. */
export function encodeTiff(width: number, height: number, rgb: Uint8Array): Uint8Array {
  const rows = 64;
  const strips = Math.ceil(height / rows);
  const stripBytes = Array.from(
    { length: strips },
    (_, index) => Math.min(rows, height - index * rows) * width * 3,
  );
  const pixelStart = 8;
  const arrays = pixelStart + rgb.length;
  const directory = arrays + 6 + 2 + strips * 8;
  const [SHORT, LONG] = [3, 4];
  const bitsAt = arrays;
  const offsetsAt = arrays + 8;
  const countsAt = offsetsAt + strips * 4;
  const single = strips === 1;
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, LONG, 1, width],
    [257, LONG, 1, height],
    [258, SHORT, 3, bitsAt],
    [259, SHORT, 1, 1],
    [262, SHORT, 1, 2],
    [273, LONG, strips, single ? pixelStart : offsetsAt],
    [277, SHORT, 1, 3],
    [278, LONG, 1, rows],
    [279, LONG, strips, single ? rgb.length : countsAt],
    [284, SHORT, 1, 1],
  ];
  const file = Buffer.alloc(directory + 2 + entries.length * 12 + 4);
  file.write('II*\0', 0, 'latin1');
  file.writeUInt32LE(directory, 4);
  file.set(rgb, pixelStart);
  [8, 8, 8].forEach((bits, index) => file.writeUInt16LE(bits, bitsAt + index * 2));
  let offset = pixelStart;
  stripBytes.forEach((length, index) => {
    file.writeUInt32LE(offset, offsetsAt + index * 4);
    file.writeUInt32LE(length, countsAt + index * 4);
    offset += length;
  });
  file.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, type, count, value], index) => {
    const at = directory + 2 + index * 12;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    if (type === SHORT && count === 1) file.writeUInt16LE(value, at + 8);
    else file.writeUInt32LE(value, at + 8);
  });
  return file;
}

/** Mulberry32: small, seeded, the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
