"""Depthwise convolution of images with a few channels, whose rows are lines of numbers.

A tap of the window multiplies a line of the image, moved by some pixels, with a line that has the
tap's weights of all channels again and again. So whole vectors are filled, whatever the channels.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products.geometry import Shapes

MOST = 4  # channels
GRAIN = 65_536  # multiplications that one task does


def fits(shapes: Shapes) -> bool:
    """Whether it is such a convolution, of images whose pixels are all used."""
    return (
        len(shapes.x) == 4
        and shapes.x[-1] == shapes.kernel[-1] == shapes.groups <= MOST
        and shapes.strides[-1] == 1
        and shapes.spatial[-1] * shapes.x[-1] >= 64
    )


def correlate(x: np.ndarray, kernel: np.ndarray, shapes: Shapes) -> np.ndarray:
    """The convolution, flat; both arrays are contiguous."""
    batch, height, width, channels = shapes.x
    rows, columns = shapes.spatial
    taps, line = math.prod(shapes.kernel[:2]), columns * channels
    lines, y = empty((taps, line), x.dtype), empty((batch * rows * line,), x.dtype)
    _repeat_weights(taps, lines.size, kernel.reshape(taps, channels), lines)
    together = max(1, GRAIN // (taps * line))
    (top, _), (left, _) = shapes.padding
    sizes = (height, width, channels, rows, columns, *shapes.kernel[:2])
    numbers = (*sizes, shapes.strides[0], *shapes.dilation, top, left, together, batch * rows)
    _convolve(-(-batch * rows // together), y.size * taps, x.reshape(-1), lines, y, numbers)
    return y


@tasks
def _repeat_weights(tap, kernel, lines):
    channels = kernel.shape[1]
    for j in range(lines.shape[1]):
        lines[tap, j] = kernel[tap, j % channels]


@inner
def _add_products(y, x, weights):
    for j in range(y.size):
        y[j] += x[j] * weights[j]


@tasks
def _convolve(task, x, lines, y, numbers):
    height, width, channels, rows, columns, high, wide = numbers[:7]
    stride, down, across, top, left, together, all_rows = numbers[7:]
    line = columns * channels
    for place in range(task * together, min(task * together + together, all_rows)):
        image, row = place // rows, place % rows
        target = part(y, place * line, line)
        for j in range(line):
            target[j] = 0
        for i in range(high):
            other = row * stride + i * down - top
            if other < 0 or other >= height:
                continue
            source = (image * height + other) * width
            for k in range(wide):
                moved = k * across - left
                first, end = max(0, -moved), min(columns, width - moved)
                if first < end:
                    _add_products(
                        part(target, first * channels, (end - first) * channels),
                        part(x, (source + first + moved) * channels, (end - first) * channels),
                        part(lines[i * wide + k], first * channels, (end - first) * channels),
                    )
