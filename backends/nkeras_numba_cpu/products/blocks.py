"""Products of blocks that one task holds in its caches, on the micro-kernel.

A task multiplies what it has just made: blocks of some rows by panels, or by rows that are filled
up to whole tiles. How they are packed, and how they are multiplied, stands here.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.simd import lanes_of, load_first, splat, store, transpose_square
from nkeras_numba_cpu.launch.tasks import call_address
from nkeras_numba_cpu.products.geometry import vectors_for
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, MicroKernels, micro_kernels

ADD = ACCUMULATE


class Tiles(NamedTuple):
    """The largest tile of a table of micro-kernels, and how many bytes an element has."""

    rows: int
    columns: int
    itemsize: int


@cache
def kernels_for(columns: int, dtype: np.dtype) -> MicroKernels:
    """Micro-kernels for results of so many columns, with few unused lanes."""
    return micro_kernels(dtype, vectors_for(columns, dtype.name))


def table_for(kernels: MicroKernels, *rows: int) -> np.ndarray:
    """The table of micro-kernels with those that blocks of so many rows are cut into."""
    for count in rows:
        kernels.for_rows(count)
    return kernels.table()


def tiles_of(kernels: MicroKernels, dtype: np.dtype) -> tuple[int, ...]:
    """`Tiles` as plain numbers."""
    return tuple(Tiles(kernels.rows, kernels.columns, dtype.itemsize))


def filled_up(size: int, kernels: MicroKernels) -> int:
    """Elements from row to row of a packed block, so that tiles of columns are whole.

    A multiple of 2,048 bytes would let rows meet on the same lines of the cache.
    """
    pitch = -(-size // kernels.columns) * kernels.columns
    return pitch if pitch % 512 else pitch + kernels.columns


@inner
def multiply(table, tiles, rows, columns, depth, a, b, c, mode):
    """C = A B, or C += A B where `mode` is ADD. Rows are cut into tiles of nearly equal size.

    A is given by its address and the elements from row to row and from column to column, B by its
    address, the elements from panel to panel and from row to row, C by its address and the elements
    from row to row.
    """
    most, width, size = tiles
    count = (rows + most - 1) // most
    for left in range(0, columns, width):
        for i in range(count):
            top, end = i * rows // count, (i + 1) * rows // count
            call_address(
                table[end - top],
                (
                    1,
                    0,
                    0,
                    depth,
                    a[0] + top * a[1] * size,
                    a[1] * size,
                    a[2] * size,
                    b[0] + left // width * b[1] * size,
                    b[2] * size,
                    c[0] + (top * c[1] + left) * size,
                    c[1] * size,
                    columns - left,
                    0,
                    mode,
                    0,
                ),
            )


@inner
def pack_rows(source, at, step, rows, columns, factor, target, pitch):
    """target[i * pitch + j] = source[at + i * step + j] * factor, zeros behind the columns."""
    lanes, scale = lanes_of(source), splat(source, factor)
    for i in range(rows):
        for j in range(0, pitch, lanes):
            values = load_first(source, at + i * step + j, columns - j)
            store(target, i * pitch + j, values * scale)


@inner
def pack_columns(source, at, step, rows, columns, target, width):
    """The transpose of some rows, in panels: target[p, j, i] = source[at + (p * width + i) * step
    + j], zeros behind the rows."""
    lanes = lanes_of(source)
    whole = columns // lanes * lanes
    for first in range(0, rows, width):
        panel = first * columns
        for i in range(0, width, lanes):
            begin = at + (first + i) * step
            square = whole if first + i + lanes <= rows else 0
            for j in range(0, square, lanes):
                transpose_square(source, begin + j, step, target, panel + j * width + i, width)
            for k in range(lanes):
                if first + i + k < rows:
                    for j in range(square, columns):
                        target[panel + j * width + i + k] = source[begin + k * step + j]
                else:
                    for j in range(square, columns):
                        target[panel + j * width + i + k] = 0
