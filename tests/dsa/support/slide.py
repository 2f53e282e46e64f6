"""slide.py <file>: draws pink tissue with dark, round nuclei, as a tiled TIFF of a scanner with 20x.

Prints the centers of the nuclei as JSON.
"""

import json
import sys

import numpy
import tifffile

size, step, radius = 1024, 64, 9
random = numpy.random.default_rng(7)
pixels = numpy.empty((size, size, 3))
pixels[:] = (232, 178, 208)
centers = [
    [int(value) for value in random.integers(-12, 13, 2) + (x, y)]
    for x in range(96, size - 64, step)
    for y in range(96, size - 64, step)
]
rows, columns = numpy.mgrid[:size, :size]
for x, y in centers:
    pixels[(columns - x) ** 2 + (rows - y) ** 2 <= radius**2] = (86, 58, 140)
pixels += random.normal(0, 4, pixels.shape)
pixels = pixels.clip(0, 255).astype('uint8')
tifffile.imwrite(
    sys.argv[1],
    pixels,
    photometric='rgb',
    tile=(256, 256),
    resolution=(20000, 20000),
    resolutionunit='CENTIMETER',
)
print(json.dumps(centers))
