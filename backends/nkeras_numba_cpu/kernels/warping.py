"""Images whose pixels come from where a matrix says, without a table of coordinates.

Coordinates of a block of pixels are found side by side, on the stack. Where all of a block come
from inside the image, which most do, nothing else is asked; then each pixel is four short vectors.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.compile.options import inner, unfused
from nkeras_numba_cpu.emit.blends import LANES, mix_pixels
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.kernels.sampling import CONSTANT, FAR, MODES, placed
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import fill
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 4096  # pixels that one task makes
BLOCK = 64  # pixels whose coordinates are found together
NARROW, WIDE = np.zeros(1, np.int32), np.zeros(1, np.int64)  # of what places in an image are


@KERNELS.register
def warp(
    x: np.ndarray, matrix: np.ndarray, *, order: int, mode: str, fill_value: float
) -> np.ndarray:
    """Images sampled where matrices say."""
    result = empty(x.shape, compute_dtype(x.dtype))
    if result.size:
        batch, height, width, channels = x.shape
        rows = max(1, GRAIN // width)
        groups = -(-height // rows)
        step = 0 if len(matrix) == 1 else 8
        numbers = (height, width, channels, rows, groups, step, order, MODES[mode])
        kind = NARROW if height * width * channels < 2**31 else WIDE
        arrays = operand(x).reshape(-1), operand(matrix).reshape(-1), result.reshape(-1)
        value = result.dtype.type(fill_value)
        _warp(batch * groups, 8 * result.size, *arrays, numbers, value, kind)
    else:
        fill(result, 0)
    return stored(result, x.dtype)


@tasks
def _warp(task, x, matrix, y, numbers, value, kind):
    height, width, channels, rows, groups, step, order, mode = numbers
    image = task // groups
    first = (task - image * groups) * rows
    size = height * width * channels
    own, made = part(x, image * size, size), part(y, image * size, size)
    last = x.size - image * size - LANES
    starts, weights = allocate(kind.dtype, 4 * BLOCK), allocate(y.dtype, 4 * BLOCK)
    places, points = allocate(kind.dtype, 2 * BLOCK), allocate(y.dtype, 2 * BLOCK)
    sizes = (height, width, channels, order, mode)
    for row in range(first, min(first + rows, height)):
        for block in range(0, width, BLOCK):
            count = min(BLOCK, width - block)
            _find(part(matrix, image * step, 8), row, block, count, points)
            outside = _surround(points, sizes, count, starts, weights, places)
            if outside > 0:
                _place(places, sizes, count, starts)
            is_beyond = outside > 0 and mode == CONSTANT
            target = part(made, (row * width + block) * channels, count * channels)
            if order == 0:
                _take(own, starts, target, channels, value)
            elif channels == 1 and not is_beyond:
                _mix_single(own, starts, weights, target)
            else:
                quick = 0
                if channels <= LANES and not is_beyond and _largest(starts, count) <= last:
                    # The last pixel's vector would end behind its row, which another task writes.
                    quick = count - 1
                    _mix_many(own, starts, weights, target, channels, quick)
                for j in range(quick, count):
                    _mix(own, starts, weights, j, part(target, j * channels, channels), value)
    release(points)
    release(places)
    release(weights)
    release(starts)


@unfused
def _find(m, row, block, count, points):
    """The coordinates x, then y, that the pixels of a block of a row come from."""
    kind = points.dtype.type
    y, one = kind(row), kind(1)
    a0, of_x, b0, of_y, c0, of_k = m[0], m[1] * y, m[3], m[4] * y, m[6], m[7] * y
    xs, ys = part(points, 0, count), part(points, BLOCK, count)
    for j in range(count):
        x = kind(block + j)
        k = c0 * x + of_k + one
        xs[j] = (a0 * x + of_x + m[2]) / k
        ys[j] = (b0 * x + of_y + m[5]) / k


@unfused
def _surround(points, sizes, count, starts, weights, places):
    """Where the four cells around each point start, and their weights; how many are no cells."""
    height, width, channels, order, _ = sizes
    kind, whole = points.dtype.type, starts.dtype.type
    xs, ys = part(points, 0, count), part(points, BLOCK, count)
    left, top = part(places, 0, count), part(places, BLOCK, count)
    outside = 0
    for j in range(count):
        x, y = xs[j], ys[j]
        if order == 0:
            low_x, low_y = np.trunc(x), np.trunc(y)
            low_x += np.trunc(kind(2) * (x - low_x))
            low_y += np.trunc(kind(2) * (y - low_y))
        else:
            low_x, low_y = np.floor(x), np.floor(y)
            right, below = x - low_x, y - low_y
            weights[j] = (kind(1) - below) * (kind(1) - right)
            weights[BLOCK + j] = (kind(1) - below) * right
            weights[2 * BLOCK + j] = below * (kind(1) - right)
            weights[3 * BLOCK + j] = below * right
        at_x = whole(low_x if abs(low_x) < kind(FAR) else kind(FAR))
        at_y = whole(low_y if abs(low_y) < kind(FAR) else kind(FAR))
        left[j], top[j] = at_x, at_y
        is_inside = (at_x >= 0) & (at_x + order < width) & (at_y >= 0) & (at_y + order < height)
        outside += 0 if is_inside else 1
        start = (at_y * width + at_x) * channels
        starts[j] = start
        starts[BLOCK + j] = start + channels
        starts[2 * BLOCK + j] = start + width * channels
        starts[3 * BLOCK + j] = start + width * channels + channels
    return outside


@inner
def _place(places, sizes, count, starts):
    """Other cells for those beyond the edges, -1 where there are none."""
    height, width, channels, order, mode = sizes
    for j in range(count):
        at_x, at_y = places[j], places[BLOCK + j]
        if 0 <= at_x and at_x + order < width and 0 <= at_y and at_y + order < height:
            continue
        for k in range(4 if order else 1):
            x = placed(np.int64(at_x) + (k & 1), width, mode)
            y = placed(np.int64(at_y) + (k >> 1), height, mode)
            starts[k * BLOCK + j] = (y * width + x) * channels if x >= 0 and y >= 0 else -1


@inner
def _largest(starts, count):
    most = starts[0]
    for k in range(4):
        line = part(starts, k * BLOCK, count)
        for j in range(count):
            most = max(most, line[j])
    return most


@inner
def _take(own, starts, target, channels, value):
    """The nearest pixels."""
    for j in range(target.size // channels):
        start = starts[j]
        for channel in range(np.uint64(channels)):
            at = np.uint64(j) * np.uint64(channels) + channel
            target[at] = own[np.uint64(start) + channel] if start >= 0 else value


@unfused
def _mix_single(own, starts, weights, target):
    """Pixels of one channel, none of them beyond the edges."""
    for j in range(target.size):
        target[j] = weights[j] * own[np.uint64(starts[j])]
    for k in range(1, 4):
        start, weight = part(starts, k * BLOCK, target.size), part(weights, k * BLOCK, target.size)
        for j in range(target.size):
            target[j] += weight[j] * own[np.uint64(start[j])]


@unfused
def _mix(own, starts, weights, j, target, value):
    """One pixel of four, some of which may be beyond the edges."""
    for channel in range(target.size):
        target[channel] = 0
    for k in range(4):
        start, weight = starts[k * BLOCK + j], weights[k * BLOCK + j]
        if start >= 0:
            source = part(own, np.int64(start), target.size)
            for channel in range(target.size):
                target[channel] += weight * source[channel]
        else:
            for channel in range(target.size):
                target[channel] += weight * value


@unfused
def _mix_many(own, starts, weights, target, channels, count):
    """So many pixels of a few channels, none of them beyond the edges."""
    for j in range(count):
        mix_pixels(target, j * channels, own, starts, weights, j, BLOCK, 4)
