"""Max and average pooling of any rank, channels last, with their gradients.

Ranks are lifted to three spatial dimensions. Inner loops run over the channels. The gradients are
written as a gather, one row of x per task, so that overlapping windows need no atomics and the
order of additions is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import parallel
from nkeras_numba_cpu.convolution import Pads, lift, lift_padding, lift_sizes, pad
from nkeras_numba_cpu.memory import empty, operand, stored


def max_pool(
    x: np.ndarray, *, pool_size: tuple[int, ...], strides: tuple[int, ...], padding: Pads
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum of each window, and the row-major index inside the window of the first maximum."""
    shape = _output_shape(x.shape, pool_size, strides, padding)
    winner = empty(shape, np.int32)
    if 0 in shape:
        return empty(shape, x.dtype), winner
    padded = pad(lift(operand(x)), lift_padding(padding), _lowest(x.dtype))
    y = empty(lift(winner).shape, padded.dtype)
    window = lift_sizes(pool_size)
    _max_pool(y.size * math.prod(window), padded, y, lift(winner), window, lift_sizes(strides))
    return stored(y.reshape(shape), x.dtype), winner


def max_pool_grad(
    grad_y: np.ndarray,
    winner: np.ndarray,
    *,
    input_shape: tuple[int, ...],
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
) -> np.ndarray:
    """Each element of grad_y added to the cell of x that won its window."""
    if 0 in input_shape or grad_y.size == 0:
        return np.zeros(input_shape, grad_y.dtype)
    grad = lift(operand(grad_y))
    grad_x = _lifted_empty(input_shape, grad.dtype)
    window = lift_sizes(pool_size)
    _max_pool_grad(
        grad.size * math.prod(window),
        grad,
        lift(operand(winner)),
        grad_x,
        window,
        lift_sizes(strides),
        _lows(padding),
    )
    return stored(grad_x.reshape(input_shape), grad_y.dtype)


def max_pool_take(
    x: np.ndarray,
    winner: np.ndarray,
    *,
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
) -> np.ndarray:
    """x at the winners, zero where padding won: the transpose of `max_pool_grad`."""
    if winner.size == 0:
        return empty(winner.shape, x.dtype)
    padded = pad(lift(operand(x)), lift_padding(padding), 0)
    y = empty(lift(winner).shape, padded.dtype)
    _max_pool_take(
        y.size, padded, lift(operand(winner)), y, lift_sizes(pool_size), lift_sizes(strides)
    )
    return stored(y.reshape(winner.shape), x.dtype)


def average_pool(
    x: np.ndarray, *, pool_size: tuple[int, ...], strides: tuple[int, ...], padding: Pads
) -> np.ndarray:
    """Mean over the cells of each window that lie inside x."""
    shape = _output_shape(x.shape, pool_size, strides, padding)
    if 0 in shape or x.size == 0:
        return np.zeros(shape, x.dtype)
    source = lift(operand(x))
    y = _lifted_empty(shape, source.dtype)
    window, steps = lift_sizes(pool_size), lift_sizes(strides)
    counts = _cells_inside(source.shape, y.shape, window, steps, _lows(padding), y.dtype)
    _average_pool(y.size * math.prod(window), source, counts, y, window, steps, _lows(padding))
    return stored(y.reshape(shape), x.dtype)


def average_pool_grad(
    grad_y: np.ndarray,
    *,
    input_shape: tuple[int, ...],
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
) -> np.ndarray:
    """Each element of grad_y spread evenly over the cells of its window."""
    if 0 in input_shape or grad_y.size == 0:
        return np.zeros(input_shape, grad_y.dtype)
    grad = lift(operand(grad_y))
    grad_x = _lifted_empty(input_shape, grad.dtype)
    window, steps = lift_sizes(pool_size), lift_sizes(strides)
    counts = _cells_inside(grad_x.shape, grad.shape, window, steps, _lows(padding), grad.dtype)
    _average_pool_grad(
        grad.size * math.prod(window), grad, counts, grad_x, window, steps, _lows(padding)
    )
    return stored(grad_x.reshape(input_shape), grad_y.dtype)


def _output_shape(
    shape: Sequence[int], pool_size: Sequence[int], strides: Sequence[int], padding: Pads
) -> tuple[int, ...]:
    spatial = (
        max(0, (size + low + high - k) // stride + 1)
        for size, (low, high), k, stride in zip(
            shape[1:-1], padding, pool_size, strides, strict=True
        )
    )
    return (shape[0], *spatial, shape[-1])


def _lifted_empty(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    return empty((shape[0], *lift_sizes(shape[1:-1]), shape[-1]), dtype)


def _lows(padding: Pads) -> tuple[int, ...]:
    return tuple(low for low, _ in lift_padding(padding))


def _lowest(dtype: np.dtype) -> float:
    """The value that padding has in a maximum."""
    if dtype.kind == "b":
        return 0
    return int(np.iinfo(dtype).min) if dtype.kind in "iu" else -np.inf


def _cells_inside(
    shape: Sequence[int],
    out_shape: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    lows: Sequence[int],
    dtype: np.dtype,
) -> np.ndarray:
    """How many cells of each window lie inside x, at least 1, as `(depth, height, width)` of y."""
    counts = []
    for size, out, k, stride, low in zip(
        shape[1:4], out_shape[1:4], window, strides, lows, strict=True
    ):
        start = np.arange(out) * stride - low
        counts.append(np.minimum(start + k, size) - np.maximum(start, 0))
    depth, height, width = counts
    inside = depth[:, None, None] * height[:, None] * width
    return np.maximum(inside, 1).astype(dtype)


@parallel
def _max_pool(x, y, winner, window, strides):
    batch, out_depth, out_height, out_width, channels = y.shape
    for task in prange(batch * out_depth * out_height):
        oy = task % out_height
        oz = task // out_height % out_depth
        n = task // (out_height * out_depth)
        for ox in range(out_width):
            best = y[n, oz, oy, ox]
            place = winner[n, oz, oy, ox]
            first = x[n, oz * strides[0], oy * strides[1], ox * strides[2]]
            for c in range(channels):
                best[c] = first[c]
                place[c] = 0
            for tap in range(1, window[0] * window[1] * window[2]):
                kx = tap % window[2]
                ky = tap // window[2] % window[1]
                kz = tap // (window[2] * window[1])
                source = x[n, oz * strides[0] + kz, oy * strides[1] + ky, ox * strides[2] + kx]
                number = np.int32(tap)
                for c in range(channels):
                    # The first NaN beats everything before it, and nothing after it is greater.
                    value, old = source[c], best[c]
                    wins = (value > old) | ((value != value) & (old == old))
                    best[c] = value if wins else old
                    place[c] = number if wins else place[c]


@parallel
def _max_pool_grad(grad_y, winner, grad_x, window, strides, lows):
    batch, depth, height, width, channels = grad_x.shape
    _, out_depth, out_height, out_width, _ = grad_y.shape
    zero = grad_x.dtype.type(0)
    for task in prange(batch * depth * height):
        y = task % height
        z = task // height % depth
        n = task // (height * depth)
        grad_x[n, z, y] = zero
        for kz in range(window[0]):
            oz = (z + lows[0] - kz) // strides[0]
            if oz < 0 or oz >= out_depth or oz * strides[0] + kz != z + lows[0]:
                continue
            for ky in range(window[1]):
                oy = (y + lows[1] - ky) // strides[1]
                if oy < 0 or oy >= out_height or oy * strides[1] + ky != y + lows[1]:
                    continue
                for kx in range(window[2]):
                    number = np.int32((kz * window[1] + ky) * window[2] + kx)
                    for ox in range(out_width):
                        x = ox * strides[2] + kx - lows[2]
                        if x < 0 or x >= width:
                            continue
                        target = grad_x[n, z, y, x]
                        grad = grad_y[n, oz, oy, ox]
                        place = winner[n, oz, oy, ox]
                        for c in range(channels):
                            target[c] += grad[c] if place[c] == number else zero


@parallel
def _max_pool_take(x, winner, y, window, strides):
    batch, out_depth, out_height, out_width, channels = y.shape
    for task in prange(batch * out_depth * out_height):
        oy = task % out_height
        oz = task // out_height % out_depth
        n = task // (out_height * out_depth)
        for ox in range(out_width):
            for c in range(channels):
                tap = winner[n, oz, oy, ox, c]
                kx = tap % window[2]
                ky = tap // window[2] % window[1]
                kz = tap // (window[2] * window[1])
                rows = x[n, oz * strides[0] + kz, oy * strides[1] + ky]
                y[n, oz, oy, ox, c] = rows[ox * strides[2] + kx, c]


@parallel
def _average_pool(x, counts, y, window, strides, lows):
    _, depth, height, width, channels = x.shape
    batch, out_depth, out_height, out_width, _ = y.shape
    for task in prange(batch * out_depth * out_height):
        oy = task % out_height
        oz = task // out_height % out_depth
        n = task // (out_height * out_depth)
        y[n, oz, oy] = y.dtype.type(0)
        for ox in range(out_width):
            target = y[n, oz, oy, ox]
            for tap in range(window[0] * window[1] * window[2]):
                kx = ox * strides[2] + tap % window[2] - lows[2]
                ky = oy * strides[1] + tap // window[2] % window[1] - lows[1]
                kz = oz * strides[0] + tap // (window[2] * window[1]) - lows[0]
                if 0 <= kz < depth and 0 <= ky < height and 0 <= kx < width:
                    source = x[n, kz, ky, kx]
                    for c in range(channels):
                        target[c] += source[c]
            count = counts[oz, oy, ox]
            for c in range(channels):
                target[c] /= count


@parallel
def _average_pool_grad(grad_y, counts, grad_x, window, strides, lows):
    batch, depth, height, width, channels = grad_x.shape
    _, out_depth, out_height, out_width, _ = grad_y.shape
    for task in prange(batch * depth * height):
        y = task % height
        z = task // height % depth
        n = task // (height * depth)
        grad_x[n, z, y] = grad_x.dtype.type(0)
        for kz in range(window[0]):
            oz = (z + lows[0] - kz) // strides[0]
            if oz < 0 or oz >= out_depth or oz * strides[0] + kz != z + lows[0]:
                continue
            for ky in range(window[1]):
                oy = (y + lows[1] - ky) // strides[1]
                if oy < 0 or oy >= out_height or oy * strides[1] + ky != y + lows[1]:
                    continue
                for kx in range(window[2]):
                    for ox in range(out_width):
                        x = ox * strides[2] + kx - lows[2]
                        if x < 0 or x >= width:
                            continue
                        target = grad_x[n, z, y, x]
                        grad = grad_y[n, oz, oy, ox]
                        count = counts[oz, oy, ox]
                        for c in range(channels):
                            target[c] += grad[c] / count
