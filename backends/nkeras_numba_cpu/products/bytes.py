"""Products of matrices of 8 bit integers: tiles of the result in registers, see `emit.bytes`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit import bytes as tiles
from nkeras_numba_cpu.emit.bytes import many_rows, one_row
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation

TILE = tiles.ROWS
BLOCK = 64  # rows of one task
SPEED = 64  # products that one instruction does


def padded(depth: int) -> int:
    """The length of a row of A: whole groups of four; what is added to it meets zeros of B."""
    return -(-depth // 4) * 4


def offset() -> int:
    """What is added to each number of A, which wraps round."""
    return tiles.offset()


def prepared(x: np.ndarray) -> np.ndarray:
    """A matrix of bytes with such rows, and the offset added."""
    rows, depth = x.shape
    result = empty((rows, padded(depth)), x.dtype)
    flat = (operand(x).reshape(-1), result.reshape(-1))
    _prepare(-(-rows // BLOCK), x.size // SPEED, *flat, (rows, depth, padded(depth), offset()))
    return result


@tasks
def _prepare(task, x, result, numbers):
    rows, depth, step, plus = numbers
    for i in range(task * BLOCK, min(rows, task * BLOCK + BLOCK)):
        line, target = part(x, i * depth, depth), part(result, i * step, depth)
        for j in range(depth):
            target[j] = np.int8(line[j] + plus)


def product(
    kernel: Callable[..., None],
    x: np.ndarray,
    y: np.ndarray,
    result: np.ndarray,
    *arrays: np.ndarray,
) -> None:
    """Run a kernel, which gets the packed y and its offsets, for all tiles of the result.

    Args:
        kernel: `sums` or `scaled_sums`.
        x: `(rows, padded(depth))`, int8, with the offset added.
        y: `(depth, columns)`, int8.
        result: `(rows, columns)`.
        arrays: what else the kernel takes.
    """
    (rows, step), columns = x.shape, y.shape[1]
    width = tiles.width()
    panels, blocks = -(-columns // width), -(-rows // BLOCK)
    packed = _packed(y)
    size = panels * step * width
    bytes, offsets = packed[:size], packed[size:].view(np.int32)
    numbers = (rows, step, columns, width, blocks)
    work = rows * columns * step // SPEED
    flat = (x.reshape(-1), bytes, offsets, *arrays, result.reshape(-1))
    kernel(panels * blocks, work, *flat, numbers)


@preparation
def _packed(y: np.ndarray) -> np.ndarray:
    """Panels of columns, groups of four rows: packed[p, g, j, t] = y[4 g + t, p * width + j].

    Behind them stand, as int32, the offsets of the columns.
    """
    depth, columns = y.shape
    width, groups = tiles.width(), padded(depth) // 4
    panels = -(-columns // width)
    size = panels * groups * width * 4
    packed = empty((size + 4 * panels * width,), np.int8)
    offsets = packed[size:].view(np.int32)
    numbers = (depth, columns, width, groups, tiles.offset())
    _pack(panels, size, operand(y).reshape(-1), packed[:size], offsets, numbers)
    return packed


@tasks
def _pack(panel, y, packed, offsets, numbers):
    depth, columns, width, groups, offset = numbers
    first = panel * width
    size = min(width, columns - first)
    own = part(packed, panel * groups * width * 4, groups * width * 4)
    total = part(offsets, first, width)
    for j in range(width):
        total[j] = 0
    if size < width or depth < 4 * groups:
        for j in range(own.size):
            own[j] = 0
    for k in range(depth):
        line, group = part(y, k * columns + first, size), k // 4
        target = part(own, group * width * 4, width * 4)
        t = k - 4 * group
        for j in range(size):
            target[4 * j + t] = line[j]
            total[j] += offset * line[j]


@inner
def _tile(x, packed, top, count, panel, step, width, into):
    """The sums of some rows and one panel, into[i * width + j]."""
    place = panel * step * width
    if count == TILE:
        many_rows(x, top * step, step, packed, place, step // 4, into)
    else:
        for i in range(count):
            line = part(into, i * width, width)
            one_row(x, (top + i) * step, step, packed, place, step // 4, line)


@tasks
def sums(task, x, packed, offsets, result, numbers):
    """The product itself, as int32."""
    rows, step, columns, width, blocks = numbers
    panel = task // blocks
    block = task - panel * blocks
    first = panel * width
    size = min(width, columns - first)
    into = allocate(np.int32, TILE * width)
    for top in range(block * BLOCK, min(rows, block * BLOCK + BLOCK), TILE):
        count = min(TILE, rows - top)
        _tile(x, packed, top, count, panel, step, width, into)
        minus = part(offsets, first, size)
        for i in range(count):
            line, total = (
                part(result, (top + i) * columns + first, size),
                part(into, i * width, size),
            )
            for j in range(size):
                line[j] = total[j] - minus[j]
    release(into)


@tasks
def scaled_sums(task, x, packed, offsets, own, scale, bias, has_bias, result, numbers):
    """The product divided by the scales of rows and columns, and the bias, as floats."""
    rows, step, columns, width, blocks = numbers
    panel = task // blocks
    block = task - panel * blocks
    first = panel * width
    size = min(width, columns - first)
    into = allocate(np.int32, TILE * width)
    for top in range(block * BLOCK, min(rows, block * BLOCK + BLOCK), TILE):
        count = min(TILE, rows - top)
        _tile(x, packed, top, count, panel, step, width, into)
        minus, by, plus = part(offsets, first, size), part(scale, first, size), part(bias, 0, size)
        if has_bias[0]:
            plus = part(bias, first, size)
        for i in range(count):
            line, total = (
                part(result, (top + i) * columns + first, size),
                part(into, i * width, size),
            )
            factor = own[top + i]
            if has_bias[0]:
                for j in range(size):
                    number = result.dtype.type(total[j] - minus[j])
                    line[j] = number / (by[j] * factor) + plus[j]
            else:
                for j in range(size):
                    number = result.dtype.type(total[j] - minus[j])
                    line[j] = number / (by[j] * factor)
    release(into)
