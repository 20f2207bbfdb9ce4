"""C = A B on the micro-kernel, for operands as they lie in memory: row-major or transposed.

The result is cut into tasks of whole tiles. Inside a task, blocks of the depth are worked on one
after the other, so that a block of A stays in the second-level cache while panels of B (the columns
of one tile) pass by. B is packed into panels first where it lies transposed, or is large and used
often; a block of A is packed by its task where its rows would hit the same cache lines.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nkeras_numba_cpu.compile import inner
from nkeras_numba_cpu.copies import copy
from nkeras_numba_cpu.drivers import call_address, tasks
from nkeras_numba_cpu.memory import empty
from nkeras_numba_cpu.micro import ACCUMULATE, micro_kernels
from nkeras_numba_cpu.simd import (
    address_of,
    lanes_of,
    load,
    load_first,
    store,
    store_first,
)

# Largest depth that is summed in registers at once: a panel of B this deep stays cached.
_DEPTH = 1024
# Bytes of the block of A that panels of B pass by: more than half of a second-level cache.
_BLOCK_BYTES = 700 * 1024
# A larger B leaves the second-level cache between two uses, if its rows are not packed.
_LARGE_BYTES = 2**20
# Multiplications that a task should have at least, so that starting it does not matter; and how
# many tasks are enough.
_TASK_WORK = 250_000
_TASKS = 16
# A vector instruction does this many multiplications: `work` of a launch counts instructions.
_SPEED = 16
# Rows that lie a multiple of this apart share the lines of the first-level cache.
_ALIASED_BYTES = 2048
_PAGE_BYTES = 4096


@lru_cache(maxsize=4096)
def _plan(
    dtype: np.dtype,
    sizes: tuple[int, int, int],
    batch: int,
    transposed_a: bool,
    transposed_b: bool,
    mode: int,
) -> tuple[int, np.ndarray, np.ndarray, int]:
    """How a product is cut.

    Returns:
        Number of tasks, micro-kernels, the numbers that `_product` reads, and the columns of B when
        it is packed into panels, 0 if it stays as it is.
    """
    rows, columns, inner = sizes
    kernels = micro_kernels(dtype)
    if rows <= 3 and columns > 2 * kernels.columns:  # a vector times a matrix: wider tiles
        kernels = micro_kernels(dtype, 8)
    table, tiles = kernels.for_rows(rows)
    panels = -(-columns // kernels.columns)
    size = dtype.itemsize
    depth = -(-inner // -(-inner // _DEPTH))
    wanted = max(1, min(_TASKS, rows * columns * inner // _TASK_WORK))
    is_large = inner * columns * size > _LARGE_BYTES
    uses = 4 if columns * size % _PAGE_BYTES == 0 else 16  # that packing pays for
    pack_b = transposed_b or (is_large and rows >= uses * kernels.rows)
    row_blocks = min(wanted, max(1, tiles // 4))
    column_blocks = min(panels, -(-wanted // row_blocks))
    if panels > 1:
        row_blocks = max(row_blocks, -(-rows * depth * size // _BLOCK_BYTES))
    panels_of_task = -(-panels // column_blocks)
    column_blocks = -(-panels // panels_of_task)
    a_step = rows if transposed_a else inner
    pack_a = a_step * size % _ALIASED_BYTES == 0 and rows > kernels.rows and panels_of_task > 2
    numbers = np.array(
        [
            *sizes,
            tiles,
            row_blocks,
            kernels.columns,
            panels_of_task,
            column_blocks,
            depth,
            transposed_a,
            pack_a,
            pack_b,
            mode,
        ],
        np.int64,
    )
    return (
        batch * row_blocks * column_blocks,
        table,
        numbers,
        panels * kernels.columns if pack_b else 0,
    )


_NO_BIAS = {np.dtype(name): np.empty(0, name) for name in ("float32", "float64")}
_ONE_MATRIX = np.zeros(1, np.int64)


def product(
    a: np.ndarray,
    b: np.ndarray,
    sizes: tuple[int, int, int],
    *,
    transposed_a: bool = False,
    transposed_b: bool = False,
    bias: np.ndarray | None = None,
    addend: np.ndarray | None = None,
    mode: int = 0,
    a_offsets: np.ndarray = _ONE_MATRIX,
    b_offsets: np.ndarray = _ONE_MATRIX,
) -> np.ndarray:
    """`activation(a @ b + bias + addend)` of contiguous float arrays, as a flat array.

    Args:
        a: `(rows, inner)`, or `(inner, rows)` if transposed; any number of such matrices.
        b: `(inner, columns)`, or `(columns, inner)` if transposed.
        sizes: rows, columns, inner; all positive.
        transposed_a: whether `a` lies transposed.
        transposed_b: whether `b` lies transposed.
        bias: `(columns,)`.
        addend: `(batch, rows, columns)`.
        mode: the activation, one of `micro.ACTIVATIONS`.
        a_offsets: for each product of a batch, where its matrix begins in a, in elements.
        b_offsets: the same in b.

    Returns:
        Array of `batch * rows * columns` elements.
    """
    rows, columns, inner = sizes
    dtype = a.dtype
    batch = a_offsets.shape[0]
    mode |= 0 if addend is None else ACCUMULATE
    count, table, numbers, packed_columns = _plan(
        dtype, sizes, batch, transposed_a, transposed_b, mode
    )
    b = b.reshape(-1)
    if packed_columns:
        matrices = b.size // (inner * columns)
        packed = empty((matrices * packed_columns * inner,), dtype)
        if transposed_b:
            _pack_transposed(b.reshape(matrices, columns, inner), packed, int(numbers[WIDTH]))
        else:
            count_packed = matrices * -(-inner // _PACKED_ROWS)
            _pack_rows(count_packed, packed.size, numbers, b, packed)
        b = packed
    c = empty((batch * rows * columns,), dtype)
    _product(
        count,
        batch * rows * columns * inner // _SPEED,
        table,
        numbers,
        a.reshape(-1),
        a_offsets,
        b,
        b_offsets,
        _NO_BIAS[dtype] if bias is None else bias,
        c if addend is None else addend.reshape(-1),
        c,
    )
    return c


def _pack_transposed(b: np.ndarray, packed: np.ndarray, width: int) -> None:
    """Panels of matrices that lie transposed: packed[n, p, k, j] = b[n, p * width + j, k].

    What lies beyond the last column stays undefined: no result depends on it.
    """
    matrices, columns, inner = b.shape
    panels = packed.reshape(matrices, -1, inner, width)
    whole, rest = divmod(columns, width)
    if whole:
        squares = b[:, : whole * width].reshape(matrices, whole, width, inner)
        copy(squares.transpose(0, 1, 3, 2), panels[:, :whole])
    if rest:
        copy(b[:, whole * width :].transpose(0, 2, 1), panels[:, whole, :, :rest])


@inner
def copy_rows(source, start, step, count, width, target, target_step):
    """Copy `count` rows of `width` elements, `step` apart in the source."""
    lanes = lanes_of(source)
    for i in range(count):
        for j in range(0, width, lanes):
            part = load_first(source, start + i * step + j, width - j)
            store_first(target, i * target_step + j, part, width - j)


# What the numbers of a plan mean.
ROWS, COLUMNS, INNER, TILES, ROW_BLOCKS, WIDTH, PANELS, COLUMN_BLOCKS, DEPTH = range(9)
TRANSPOSED_A, PACK_A, PACKED_B, MODE = range(9, 13)

_PACKED_ROWS = 32  # of B, for one task


@tasks
def _pack_rows(task, numbers, b, packed):
    """Rows of B into panels: packed[n, p, k, j] = b[n, k, p * width + j], zero beyond the end."""
    columns, inner, width = numbers[COLUMNS], numbers[INNER], numbers[WIDTH]
    blocks = (inner + _PACKED_ROWS - 1) // _PACKED_ROWS
    n = task // blocks
    first = (task - n * blocks) * _PACKED_ROWS
    panels = (columns + width - 1) // width
    lanes = lanes_of(b)
    for p in range(panels):
        left = p * width
        for k in range(first, min(first + _PACKED_ROWS, inner)):
            place = ((n * panels + p) * inner + k) * width
            start = (n * inner + k) * columns + left
            if left + width <= columns:
                for j in range(0, width, lanes):
                    store(packed, place + j, load(b, start + j))
            else:
                for j in range(0, width, lanes):
                    store(packed, place + j, load_first(b, start + j, columns - left - j))


@tasks
def _product(task, table, numbers, a, a_offsets, b, b_offsets, bias, addend, c):
    rows, columns, inner = numbers[ROWS], numbers[COLUMNS], numbers[INNER]
    tiles, row_blocks = numbers[TILES], numbers[ROW_BLOCKS]
    width, panels, column_blocks = numbers[WIDTH], numbers[PANELS], numbers[COLUMN_BLOCKS]
    transposed_a, pack_a = numbers[TRANSPOSED_A] != 0, numbers[PACK_A] != 0
    packed_b, depth = numbers[PACKED_B] != 0, numbers[DEPTH]
    row_block = task % row_blocks
    column_block = task // row_blocks % column_blocks
    n = task // (row_blocks * column_blocks)
    size = c.itemsize
    # Tiles first .. last - 1 of this block; the first `larger` of all have one row more.
    first = row_block * tiles // row_blocks
    last = (row_block + 1) * tiles // row_blocks
    base = rows // tiles
    larger = rows - base * tiles
    top = first * base + min(first, larger)
    block_rows = last * base + min(last, larger) - top
    end = min(columns, (column_block + 1) * panels * width)

    # A copy of a block of A, with rows that are not a power of two apart; and of the last panel.
    a_copy_step = (block_rows if transposed_a else depth) + 2 * lanes_of(a)
    a_copy = np.empty(
        (depth if transposed_a else block_rows) * a_copy_step if pack_a else 1, a.dtype
    )
    panel = np.empty(depth * width if end % width and not packed_b else 1, b.dtype)
    for k in range(0, inner, depth):
        steps = min(depth, inner - k)
        is_last = k + steps == inner
        mode = numbers[MODE] if is_last else numbers[MODE] & ACCUMULATE
        mode |= ACCUMULATE if k else 0
        onto = 0 if k else address_of(addend, 0) - address_of(c, 0)
        a_step = rows if transposed_a else inner
        a_place = a_offsets[n] + (k * rows + top if transposed_a else top * inner + k)
        a_address = address_of(a, a_place)
        if pack_a:
            if transposed_a:
                copy_rows(a, a_place, a_step, steps, block_rows, a_copy, a_copy_step)
            else:
                copy_rows(a, a_place, a_step, block_rows, steps, a_copy, a_copy_step)
            a_address, a_step = address_of(a_copy, 0), a_copy_step
        a_row, a_inner = (size, a_step * size) if transposed_a else (a_step * size, size)
        for left in range(column_block * panels * width, end, width):
            panel_width = min(width, columns - left)
            b_step = width
            if packed_b:
                all_columns = (columns + width - 1) // width * width
                matrix = b_offsets[n] // (inner * columns)
                b_address = address_of(b, (matrix * all_columns + left) * inner + k * width)
            else:
                b_place = b_offsets[n] + k * columns + left
                if panel_width < width:  # a tile reads whole vectors
                    copy_rows(b, b_place, columns, steps, panel_width, panel, width)
                    b_address = address_of(panel, 0)
                else:
                    b_address, b_step = address_of(b, b_place), columns
            bias_address = address_of(bias, left) if is_last and bias.size else 0
            row = top
            for tile in range(first, last):
                count = base + 1 if tile < larger else base
                call_address(
                    table[count],
                    (
                        1,
                        0,
                        0,
                        steps,
                        a_address + (row - top) * a_row,
                        a_row,
                        a_inner,
                        b_address,
                        b_step * size,
                        address_of(c, (n * rows + row) * columns + left),
                        columns * size,
                        panel_width,
                        bias_address,
                        mode,
                        onto,
                    ),
                )
                row += count
    # The addresses do not keep the copies alive; this does.
    a_copy[0] = panel[0]
