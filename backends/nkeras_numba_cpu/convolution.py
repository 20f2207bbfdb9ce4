"""Convolutions of any rank and their gradients, channels last.

Every rank is lifted to three spatial dimensions, so that four compiled loops serve all. Padding is
done by a copy: the loops know no borders. The gradient for x is itself a set of convolutions of
grad_y, one for each remainder of a position by the stride.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import jit, parallel
from nkeras_numba_cpu.linalg import COLUMNS, ROWS, add_products
from nkeras_numba_cpu.memory import empty, operand, stored

Pads = Sequence[tuple[int, int]]

# grad_kernel sums over the batch in at most this many parts when a small kernel gives few tasks.
_PARTS = 8


def conv(
    x: np.ndarray,
    kernel: np.ndarray,
    *,
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
) -> np.ndarray:
    """Correlation of x with kernel `(*spatial, channels // groups, filters)`."""
    spatial = tuple(
        (size + low + high - ((k - 1) * d + 1)) // s + 1
        for size, (low, high), k, d, s in zip(
            x.shape[1:-1], padding, kernel.shape, dilation, strides, strict=False
        )
    )
    shape = (x.shape[0], *spatial, kernel.shape[-1])
    if 0 in shape or x.size == 0 or kernel.size == 0:
        return np.zeros(shape, x.dtype)
    y = _correlate(
        lift(operand(x)),
        _lift_kernel(operand(kernel)),
        lift_sizes(strides),
        lift_padding(padding),
        lift_sizes(dilation),
        groups,
        lift_sizes(spatial),
    )
    return stored(y.reshape(shape), x.dtype)


def conv_grad_input(
    grad_y: np.ndarray,
    kernel: np.ndarray,
    *,
    input_shape: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
) -> np.ndarray:
    """Gradient of `conv` for x, of shape `input_shape`."""
    if 0 in input_shape or grad_y.size == 0 or kernel.size == 0:
        return np.zeros(input_shape, grad_y.dtype)
    channels, filters = input_shape[-1], kernel.shape[-1]
    grad = lift(operand(grad_y))
    weights = _lift_kernel(operand(kernel))
    depthwise = weights.shape[3] == 1 and groups > 1
    if not depthwise:  # swap channels and filters within each group
        split = weights.reshape(*weights.shape[:4], groups, filters // groups)
        weights = split.transpose(0, 1, 2, 5, 4, 3).reshape(*weights.shape[:3], -1, channels)
    sizes = lift_sizes(input_shape[1:-1])
    result_channels = filters if depthwise else channels
    steps = lift_sizes(strides)
    axes = [
        _phases(size, extent, taps, step, low, rate)
        for size, extent, taps, step, (low, _), rate in zip(
            sizes,
            grad.shape[1:4],
            weights.shape[:3],
            steps,
            lift_padding(padding),
            lift_sizes(dilation),
            strict=True,
        )
    ]
    grad_x = np.zeros((input_shape[0], *sizes, result_channels), grad.dtype)
    for phase in itertools.product(*axes):
        positions = tuple(
            slice(first, None, step) for (first, *_), step in zip(phase, steps, strict=True)
        )
        grad_x[(slice(None), *positions)] = _correlate(
            grad,
            np.ascontiguousarray(weights[np.ix_(*(taps for _, _, taps, _, _ in phase))]),
            (1, 1, 1),
            tuple(pads for _, _, _, pads, _ in phase),
            tuple(rate for *_, rate in phase),
            filters if depthwise else groups,
            tuple(count for _, count, *_ in phase),
        )
    if depthwise and filters > channels:
        grad_x = grad_x.reshape(*grad_x.shape[:-1], channels, -1).sum(axis=-1)
    return stored(grad_x.reshape(input_shape), grad_y.dtype)


def conv_grad_kernel(
    x: np.ndarray,
    grad_y: np.ndarray,
    *,
    kernel_shape: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
) -> np.ndarray:
    """Gradient of `conv` for the kernel, of shape `kernel_shape`."""
    if 0 in kernel_shape or x.size == 0 or grad_y.size == 0:
        return np.zeros(kernel_shape, x.dtype)
    grad = lift(operand(grad_y))
    taps = lift_sizes(kernel_shape[:-2])
    steps, rates = lift_sizes(strides), lift_sizes(dilation)
    padded = pad(lift(operand(x)), lift_padding(padding), 0)
    batch, filters = grad.shape[0], kernel_shape[-1]
    work = grad.size * math.prod(kernel_shape[:-1])
    if kernel_shape[-2] == 1 and groups > 1:
        padded = _repeat_channels(padded, filters // groups)
        parts = empty((min(batch, _PARTS), *taps, filters), grad.dtype)
        _depthwise_grad_kernel(work, padded, grad, parts, steps, rates)
    else:
        merged = groups == 1 and rates[2] == 1
        row = (1, taps[2] * kernel_shape[-2]) if merged else (taps[2], kernel_shape[-2])
        tasks = math.prod(kernel_shape[:-1]) // ROWS * groups
        count = 1 if tasks >= 64 else min(batch, _PARTS)
        parts = empty((count, taps[0], taps[1], *row, filters), grad.dtype)
        _conv_grad_kernel(work, padded, grad, parts, steps, rates, groups)
    total = parts[0]
    for part in parts[1:]:
        total += part
    return stored(total.reshape(kernel_shape), x.dtype)


def lift(x: np.ndarray) -> np.ndarray:
    """`(batch, *spatial, channels)` with leading spatial dimensions of size 1, three in all."""
    return x.reshape(x.shape[0], *(1,) * (5 - x.ndim), *x.shape[1:])


def lift_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Per-dimension sizes, strides or dilations for three dimensions."""
    return (1,) * (3 - len(sizes)) + tuple(sizes)


def lift_padding(padding: Pads) -> tuple[tuple[int, int], ...]:
    """Per-dimension padding for three dimensions."""
    return ((0, 0),) * (3 - len(padding)) + tuple(padding)


def pad(x: np.ndarray, padding: Pads, value: float) -> np.ndarray:
    """Lifted x with its spatial borders extended by `value`; a negative width crops."""
    if all(pads == (0, 0) for pads in padding):
        return x
    sizes = [size + low + high for size, (low, high) in zip(x.shape[1:4], padding, strict=True)]
    result = np.full((x.shape[0], *sizes, x.shape[4]), value, x.dtype)
    source, target = [slice(None)], [slice(None)]
    for size, (low, high) in zip(x.shape[1:4], padding, strict=True):
        first, last = max(0, -low), size - max(0, -high)
        source.append(slice(first, max(first, last)))
        target.append(slice(first + low, max(first, last) + low))
    result[tuple(target)] = x[tuple(source)]
    return result


def _lift_kernel(kernel: np.ndarray) -> np.ndarray:
    return kernel.reshape(*(1,) * (5 - kernel.ndim), *kernel.shape)


def _repeat_channels(x: np.ndarray, times: int) -> np.ndarray:
    return x if times == 1 else np.repeat(x, times, axis=-1)


def _phases(
    size: int, extent: int, taps: int, stride: int, low: int, dilation: int
) -> list[tuple[int, int, list[int], tuple[int, int], int]]:
    """How one dimension of the gradient for x splits into convolutions with stride 1.

    Positions first, first + stride, ... of x meet the same taps k: the output index (first + low -
    k dilation) / stride must be whole. Returns (first, count, taps in order of output index,
    padding of grad_y, dilation) for each `first` that meets any tap.
    """
    result = []
    for first in range(min(stride, size)):
        chosen = [k for k in reversed(range(taps)) if (first + low - k * dilation) % stride == 0]
        if chosen:
            count = (size - first + stride - 1) // stride
            start = (first + low - chosen[0] * dilation) // stride
            end = (first + low - chosen[-1] * dilation) // stride
            pads = (-start, count + end - extent)
            result.append((first, count, chosen, pads, dilation // math.gcd(dilation, stride)))
    return result


def _correlate(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
    spatial: tuple[int, ...],
) -> np.ndarray:
    """`conv` of lifted arrays to an output of the size `spatial`."""
    x = pad(x, padding, 0)
    filters = kernel.shape[-1]
    y = empty((x.shape[0], *spatial, filters), x.dtype)
    work = y.size * math.prod(kernel.shape[:-1])
    if kernel.shape[3] == 1 and groups > 1:
        x = _repeat_channels(x, filters // groups)
        _depthwise(work, x, kernel[:, :, :, 0], y, strides, dilation)
        return y
    if groups == 1 and dilation[2] == 1:  # the taps of a row lie side by side in x: one longer run
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1, filters)
    _conv(work, x, kernel, y, strides, dilation, groups)
    return y


@jit
def _corner(position, x, y, strides):
    """Offset in x of the window of an output position (counted over batch and space)."""
    _, depth, height, width, channels = x.shape
    _, out_depth, out_height, out_width, _ = y.shape
    ox = position % out_width
    position = position // out_width
    oy = position % out_height
    position = position // out_height
    oz = position % out_depth
    n = position // out_depth
    row = (n * depth + oz * strides[0]) * height + oy * strides[1]
    return (row * width + ox * strides[2]) * channels


@parallel
def _conv(x, kernel, y, strides, dilation, groups):
    _, _, height, width, channels = x.shape
    taps_z, taps_y, taps_x, run, filters = kernel.shape
    group_filters = filters // groups
    positions = y.size // filters
    row_tiles = (positions + ROWS - 1) // ROWS
    column_tiles = (group_filters + COLUMNS - 1) // COLUMNS
    flat_x, flat_kernel, flat_y = x.ravel(), kernel.ravel(), y.ravel()
    for task in prange(groups * column_tiles * row_tiles):
        first = task % row_tiles * ROWS
        column = task // row_tiles % column_tiles * COLUMNS
        group = task // (row_tiles * column_tiles)
        columns = min(COLUMNS, group_filters - column)
        column += group * group_filters
        tile = np.zeros(ROWS * COLUMNS, y.dtype)
        # Rows beyond the end repeat the last one and are not stored.
        corner_0 = _corner(first, x, y, strides)
        corner_1 = _corner(min(first + 1, positions - 1), x, y, strides)
        corner_2 = _corner(min(first + 2, positions - 1), x, y, strides)
        corner_3 = _corner(min(first + 3, positions - 1), x, y, strides)
        for tap in range(taps_z * taps_y * taps_x):
            kx = tap % taps_x
            ky = tap // taps_x % taps_y
            kz = tap // (taps_x * taps_y)
            shift = (kz * dilation[0] * height + ky * dilation[1]) * width + kx * dilation[2]
            shift = shift * channels + group * (channels // groups)
            add_products(
                tile,
                columns,
                flat_x,
                (corner_0 + shift, corner_1 + shift, corner_2 + shift, corner_3 + shift),
                1,
                run,
                flat_kernel,
                tap * run * filters + column,
                filters,
            )
        for r in range(min(ROWS, positions - first)):
            target = flat_y[(first + r) * filters + column :]
            for j in range(columns):
                target[j] = tile[r * COLUMNS + j]


@jit
def _tap_shift(q, x, parts, dilation):
    """Offset in x of row q of the kernel matrix (tap and channel) from the corner of the window."""
    _, _, height, width, channels = x.shape
    _, _, taps_y, taps_x, run, _ = parts.shape
    tap = q // run
    kx = tap % taps_x
    ky = tap // taps_x % taps_y
    kz = tap // (taps_x * taps_y)
    shift = (kz * dilation[0] * height + ky * dilation[1]) * width + kx * dilation[2]
    return shift * channels + q % run


@parallel
def _conv_grad_kernel(x, grad_y, parts, strides, dilation, groups):
    _, depth, height, width, channels = x.shape
    batch, out_depth, out_height, out_width, filters = grad_y.shape
    count = parts.shape[0]
    group_filters = filters // groups
    rows = parts.size // (count * filters)
    row_tiles = (rows + ROWS - 1) // ROWS
    column_tiles = (group_filters + COLUMNS - 1) // COLUMNS
    flat_x, flat_grad, flat_parts = x.ravel(), grad_y.ravel(), parts.ravel()
    for task in prange(count * groups * column_tiles * row_tiles):
        first = task % row_tiles * ROWS
        column = task // row_tiles % column_tiles * COLUMNS
        group = task // (row_tiles * column_tiles) % groups
        part = task // (row_tiles * column_tiles * groups)
        columns = min(COLUMNS, group_filters - column)
        column += group * group_filters
        tile = np.zeros(ROWS * COLUMNS, parts.dtype)
        channel = group * (channels // groups)
        shift_0 = channel + _tap_shift(first, x, parts, dilation)
        shift_1 = channel + _tap_shift(min(first + 1, rows - 1), x, parts, dilation)
        shift_2 = channel + _tap_shift(min(first + 2, rows - 1), x, parts, dilation)
        shift_3 = channel + _tap_shift(min(first + 3, rows - 1), x, parts, dilation)
        for n in range(batch * part // count, batch * (part + 1) // count):
            for row in range(out_depth * out_height):
                oz, oy = row // out_height, row % out_height
                base = (n * depth + oz * strides[0]) * height + oy * strides[1]
                base = base * width * channels
                add_products(
                    tile,
                    columns,
                    flat_x,
                    (base + shift_0, base + shift_1, base + shift_2, base + shift_3),
                    strides[2] * channels,
                    out_width,
                    flat_grad,
                    (n * out_depth * out_height + row) * out_width * filters + column,
                    filters,
                )
        for r in range(min(ROWS, rows - first)):
            target = flat_parts[(part * rows + first + r) * filters + column :]
            for j in range(columns):
                target[j] = tile[r * COLUMNS + j]


@parallel
def _depthwise(x, kernel, y, strides, dilation):
    batch, out_depth, out_height, out_width, filters = y.shape
    taps_z, taps_y, taps_x, _ = kernel.shape
    for task in prange(batch * out_depth * out_height):
        oy = task % out_height
        oz = task // out_height % out_depth
        n = task // (out_height * out_depth)
        for ox in range(out_width):
            target = y[n, oz, oy, ox]
            target[:] = 0
            for kz in range(taps_z):
                for ky in range(taps_y):
                    rows = x[n, oz * strides[0] + kz * dilation[0]]
                    row = rows[oy * strides[1] + ky * dilation[1]]
                    for kx in range(taps_x):
                        source = row[ox * strides[2] + kx * dilation[2]]
                        weights = kernel[kz, ky, kx]
                        for c in range(filters):
                            target[c] += source[c] * weights[c]


@parallel
def _depthwise_grad_kernel(x, grad_y, parts, strides, dilation):
    batch, out_depth, out_height, out_width, filters = grad_y.shape
    count, taps_z, taps_y, taps_x, _ = parts.shape
    for task in prange(count * taps_z * taps_y * taps_x):
        kx = task % taps_x
        ky = task // taps_x % taps_y
        kz = task // (taps_x * taps_y) % taps_z
        part = task // (taps_x * taps_y * taps_z)
        target = parts[part, kz, ky, kx]
        target[:] = 0
        for n in range(batch * part // count, batch * (part + 1) // count):
            for row in range(out_depth * out_height):
                oz, oy = row // out_height, row % out_height
                rows = x[n, oz * strides[0] + kz * dilation[0]]
                source_row = rows[oy * strides[1] + ky * dilation[1]]
                for ox in range(out_width):
                    source = source_row[ox * strides[2] + kx * dilation[2]]
                    grad = grad_y[n, oz, oy, ox]
                    for c in range(filters):
                        target[c] += source[c] * grad[c]
