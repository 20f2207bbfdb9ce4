"""Values of images between their cells.

Around each point stand two cells along each axis. Which cells these are, beyond the edges too, is
worked out once for all channels, on the stack. A gradient goes back to the cells image by image, in
the order of the points, so that it does not depend on the number of threads.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import fill
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 4096  # points that one task looks up
NARROW = 8  # fewer channels than these are summed one by one
BLOCK = 64  # points whose corners are found together: LLVM makes vectors of them
NOWHERE = -(1 << 56)  # so far in front of an image that no further axis brings it back
FAR = 2**30  # coordinates that are farther away count as this one
CONSTANT, NEAREST, WRAP, MIRROR, REFLECT = range(5)
MODES = {
    "constant": CONSTANT,
    "nearest": NEAREST,
    "wrap": WRAP,
    "mirror": MIRROR,
    "reflect": REFLECT,
}


@KERNELS.register
def sample(
    x: np.ndarray, coordinates: np.ndarray, *, order: int, mode: str, fill_value: float
) -> np.ndarray:
    """Values of images between their cells."""
    batch, *sizes, channels = x.shape
    points = coordinates.shape[2:]
    result = empty((batch, *points, channels), compute_dtype(x.dtype))
    if not x.size:
        fill(result, fill_value)
    elif result.size:
        count = math.prod(points)
        groups = -(-count // GRAIN)
        given = operand(coordinates).reshape(-1)
        arrays = operand(x).reshape(-1), given, result.reshape(-1)
        work = result.size * 8 << (order * len(sizes))
        numbers = (count, channels, groups, order, MODES[mode])
        value = result.dtype.type(fill_value)
        _look_up(batch * groups, work, *arrays, tuple(sizes), numbers, value)
    return stored(result, x.dtype)


@KERNELS.register
def sample_grad(
    grad_y: np.ndarray, coordinates: np.ndarray, *, shape: tuple[int, ...], order: int, mode: str
) -> np.ndarray:
    """Each element of grad_y shared out among the cells that it came from."""
    batch, *sizes, channels = shape
    result = empty(shape, compute_dtype(grad_y.dtype))
    if not grad_y.size:
        fill(result, 0)
    elif result.size:
        given = operand(coordinates).reshape(-1)
        arrays = operand(grad_y).reshape(-1), given, result.reshape(-1)
        work = grad_y.size * 8 << (order * len(sizes))
        numbers = (math.prod(coordinates.shape[2:]), channels, order, MODES[mode])
        _share_out(batch, work, *arrays, tuple(sizes), numbers)
    return stored(result, grad_y.dtype)


@tasks
def _look_up(task, x, coordinates, y, sizes, numbers, value):
    points, channels, groups, order, mode = numbers
    image = task // groups
    first = (task - image * groups) * GRAIN
    cells = _cells(sizes) * channels
    own = part(x, image * cells, cells)
    corners = 1 << (len(sizes) * order)
    starts, weights, beyond = _buffers(corners, y)
    zero = y.dtype.type(0)
    places, factors = allocate(np.int64, 2 * BLOCK), allocate(y.dtype, 2 * BLOCK)
    for block in range(first, min(first + GRAIN, points), BLOCK):
        size = min(BLOCK, points - block)
        given = part(coordinates, image * len(sizes) * points, len(sizes) * points)
        where = (block, size, points, channels, order, mode)
        is_beyond = _find(given, sizes, where, starts, weights, beyond, places, factors)
        for i in range(size):
            target = part(y, (image * points + block + i) * channels, channels)
            rest = beyond[i] * value if is_beyond and beyond[i] != 0 else zero
            if channels < NARROW:
                for j in range(np.uint64(channels)):
                    total = rest
                    for k in range(corners):
                        at = np.uint64(k * BLOCK + i)
                        if is_beyond and starts[at] < 0:
                            continue
                        total += weights[at] * own[np.uint64(starts[at]) + j]
                    target[j] = total
            else:
                for j in range(channels):
                    target[j] = rest
                for k in range(corners):
                    start, weight = starts[k * BLOCK + i], weights[k * BLOCK + i]
                    if start >= 0:
                        source = part(own, start, channels)
                        for j in range(channels):
                            target[j] += weight * source[j]
    release(factors)
    release(places)
    release(beyond)
    release(weights)
    release(starts)


@tasks
def _share_out(task, grad_y, coordinates, grad_x, sizes, numbers):
    points, channels, order, mode = numbers
    cells = _cells(sizes) * channels
    own = part(grad_x, task * cells, cells)
    for j in range(cells):
        own[j] = 0
    corners = 1 << (len(sizes) * order)
    starts, weights, beyond = _buffers(corners, grad_x)
    places, factors = allocate(np.int64, 2 * BLOCK), allocate(grad_x.dtype, 2 * BLOCK)
    for block in range(0, points, BLOCK):
        size = min(BLOCK, points - block)
        given = part(coordinates, task * len(sizes) * points, len(sizes) * points)
        where = (block, size, points, channels, order, mode)
        _find(given, sizes, where, starts, weights, beyond, places, factors)
        for i in range(size):
            source = part(grad_y, (task * points + block + i) * channels, channels)
            for k in range(corners):
                start, weight = starts[k * BLOCK + i], weights[k * BLOCK + i]
                if start < 0:
                    continue
                if channels < NARROW:
                    for j in range(np.uint64(channels)):
                        own[np.uint64(start) + j] += weight * source[j]
                else:
                    target = part(own, start, channels)
                    for j in range(channels):
                        target[j] += weight * source[j]
    release(factors)
    release(places)
    release(beyond)
    release(weights)
    release(starts)


@inner
def _cells(sizes):
    cells = 1
    for axis in range(len(sizes)):
        cells *= sizes[axis]
    return cells


@inner
def _buffers(corners, y):
    """Where the corners of a block's points start, their weights, and what is beyond the edges."""
    starts = allocate(np.int64, corners * BLOCK)
    return starts, allocate(y.dtype, corners * BLOCK), allocate(y.dtype, BLOCK)


@inner
def _find(coordinates, sizes, where, starts, weights, beyond, places, factors):
    """Where in the image the corners of a block of points start, negative for none, and weights.

    Returns whether there are such as are none.
    """
    block, size, points, channels, order, mode = where
    corners = 1 << (len(sizes) * order)
    for k in range(corners):
        start, weight = part(starts, k * BLOCK, size), part(weights, k * BLOCK, size)
        for j in range(size):
            start[j] = 0
            weight[j] = 1
    for j in range(size):
        beyond[j] = 0
    stride, is_beyond = channels * _cells(sizes), False
    for axis in range(len(sizes)):
        stride //= sizes[axis]
        line = part(coordinates, axis * points + block, size)
        if _surround(line, sizes[axis], order, places, factors):
            is_beyond = mode == CONSTANT or is_beyond
            for j in range(size):
                places[j] = placed(places[j], sizes[axis], mode)
                places[BLOCK + j] = placed(places[BLOCK + j], sizes[axis], mode)
        for side in range(0, BLOCK + BLOCK * order, BLOCK):
            place = part(places, side, size)
            for j in range(size):
                place[j] = place[j] * stride if place[j] >= 0 else NOWHERE
        for k in range(corners):
            side = ((k >> axis) & 1) * BLOCK
            place, factor = part(places, side, size), part(factors, side, size)
            start, weight = part(starts, k * BLOCK, size), part(weights, k * BLOCK, size)
            for j in range(size):
                start[j] += place[j]
                weight[j] *= factor[j]
    if is_beyond:
        for k in range(corners):
            for j in range(size):
                if starts[k * BLOCK + j] < 0:
                    beyond[j] += weights[k * BLOCK + j]
    return is_beyond


@inner
def _surround(line, size, order, places, factors):
    """The two cells around each coordinate and their weights; how many are beyond the edges."""
    kind = factors.dtype.type
    low, high = part(factors, 0, line.size), part(factors, BLOCK, line.size)
    below, above = part(places, 0, line.size), part(places, BLOCK, line.size)
    outside = 0
    for j in range(line.size):
        c = line[j]
        if order == 0:
            lower = np.trunc(c)
            lower += np.trunc(kind(2) * (c - lower))
            fraction = kind(0)
        else:
            lower = np.floor(c)
            fraction = c - lower
        place = np.int64(lower if abs(lower) < kind(FAR) else kind(FAR))
        below[j] = place
        above[j] = place + 1
        low[j] = kind(1) - fraction
        high[j] = fraction
        outside += 0 if (place >= 0) & (place + order < size) else 1
    return outside


@inner
def placed(place, size, mode):
    """The cell that stands for one beyond the edges, `NOWHERE` for none."""
    if 0 <= place < size:
        return place
    if mode == CONSTANT:
        return NOWHERE
    if mode == WRAP:
        return place % size
    if mode == REFLECT:
        place %= 2 * size
        return place if place < size else 2 * size - 1 - place
    if mode == MIRROR and size > 1:
        place %= 2 * size - 2
        return place if place < size else 2 * size - 2 - place
    return 0 if place < 0 else size - 1
