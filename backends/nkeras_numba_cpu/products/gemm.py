"""C = A B on the micro-kernel, for operands as they lie in memory: row-major or transposed.

A product is a convolution with windows of one pixel, and runs on the same compiled loop: see
`direct`. Here its tables are made. The result is cut into tasks of whole tiles; blocks
of the depth are worked on one after the other, so that a block of A stays in the second-level cache
while panels of B (the columns of one tile) pass by. B is packed into panels first where it lies
transposed, or is large and used often, and so are the columns that fill no panel; a task copies its
block of A where the rows would hit the same cache lines.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.records import numbers, stacked, table
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.launch.numpy_calls import write
from nkeras_numba_cpu.loops.copies import copy, fill
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation, stays
from nkeras_numba_cpu.products.direct import run
from nkeras_numba_cpu.products.geometry import vectors_for
from nkeras_numba_cpu.products.micro_kernel import (
    ACCUMULATE,
    MicroKernels,
    micro_kernels,
    streaming,
)
from nkeras_numba_cpu.products.tables import (
    NO_BOX,
    Box,
    Panel,
    Phase,
    Run,
    Steps,
    Task,
    Tile,
    Window,
)

# Largest depth that is summed in registers at once: a panel of B this deep stays cached.
_DEPTH = 1280
# Bytes of the block of A that panels of B pass by: more than half of a second-level cache.
_BLOCK_BYTES = 700 * 1024
# A larger B leaves the second-level cache between two uses, if its rows are not packed.
_LARGE_BYTES = 2**20
# Multiplications that a task should have at least, so that starting it does not matter, and
# elements of B, where reading them takes longer; and how many tasks are enough.
_TASK_WORK, _TASK_READS = 250_000, 1 << 16
_TASKS = 16
# A vector instruction does this many multiplications: `work` of a launch counts instructions.
_SPEED = 16
# With this many rows or fewer, reading B is the work: it takes as long as so many instructions.
_FEW_ROWS, _READ_SPEED = 3, 8
# Rows that lie a multiple of this apart share the lines of the first-level cache.
_ALIASED_BYTES = 2048
_PAGE_BYTES = 4096
# So many elements of B are packed by NumPy, for which no kernel must be compiled.
_LITTLE = 1 << 14

Shape = tuple[int, ...]


class Part(NamedTuple):
    """The launches for some columns of the result."""

    packed: int  # the first column to be packed, -1 where B is read as it lies
    phases: list[Phase]


class Schedule(NamedTuple):
    """How a product is computed."""

    matrices: int  # of the result
    width: int  # of a panel
    parts: list[Part]


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
    batches: tuple[Shape, Shape] = ((), ()),
    shape: Shape | None = None,
) -> np.ndarray:
    """`activation(a @ b + bias + addend)` of contiguous float arrays.

    Args:
        a: `(rows, inner)`, or `(inner, rows)` if transposed; any number of such matrices.
        b: `(inner, columns)`, or `(columns, inner)` if transposed.
        sizes: rows, columns, inner; all positive.
        transposed_a: whether `a` lies transposed.
        transposed_b: whether `b` lies transposed.
        bias: `(columns,)`, for one matrix.
        addend: `(batch, rows, columns)`.
        mode: the activation, one of `ACTIVATIONS`.
        batches: how the matrices of a, and those of b, are arranged; they are broadcast.
        shape: of the result, which is flat by default.

    Returns:
        Array of `batch * rows * columns` elements.
    """
    rows, columns, inner = sizes
    dtype = a.dtype
    mode |= 0 if addend is None else ACCUMULATE
    has_bias = bias is not None
    schedule = _schedule(
        dtype, sizes, transposed_a, transposed_b, mode, has_bias, batches, stays(b)
    )
    c = empty(shape or (schedule.matrices * rows * columns,), dtype)
    bias = b if bias is None else bias
    addend = c if addend is None else addend
    for first, phases in schedule.parts:
        panels = b if first < 0 else _packed(b, columns, inner, transposed_b, first, schedule.width)
        run(phases, a, panels, bias, addend, c)
    return c


@preparation
def _packed(
    b: np.ndarray, columns: int, inner: int, transposed: bool, first: int, width: int
) -> np.ndarray:
    """Panels of the columns from `first` on: packed[n, p, k, j] = b[n, k, first + p * width + j].

    What lies beyond the last column is 0: no result depends on it, but old bits that are denormal
    floats would slow the products down a hundred times.
    """
    if transposed:
        matrices = b.reshape(-1, columns, inner).swapaxes(1, 2)
    else:
        matrices = b.reshape(-1, inner, columns)
    count, (whole, rest) = len(matrices), divmod(columns - first, width)
    packed = empty((count * (whole + (rest > 0)) * inner * width,), b.dtype)
    panels = packed.reshape(count, -1, inner, width)
    if whole:
        some = matrices[:, :, first : columns - rest].reshape(count, inner, whole, width)
        copy(some.transpose(0, 2, 1, 3), panels[:, :whole])
    if rest:
        some, target = matrices[:, :, columns - rest :], panels[:, whole, :, :rest]
        (write if some.size <= _LITTLE else copy)(some, target)
        beyond = panels[:, whole, :, rest:]
        write(0.0, beyond) if beyond.size <= _LITTLE else fill(beyond, 0.0)
    return packed


@lru_cache(maxsize=4096)
def _schedule(
    dtype: np.dtype,
    sizes: tuple[int, int, int],
    transposed_a: bool,
    transposed_b: bool,
    mode: int,
    bias: bool,
    batches: tuple[Shape, Shape],
    is_fixed: bool,
) -> Schedule:
    scheduler = _Scheduler(dtype, sizes, transposed_a, mode, bias, batches)
    return scheduler.schedule(transposed_b, is_fixed)


class _Scheduler:
    """Makes the tables of one product; `Phase` says what stands in them."""

    def __init__(
        self,
        dtype: np.dtype,
        sizes: tuple[int, int, int],
        transposed_a: bool,
        mode: int,
        bias: bool,
        batches: tuple[Shape, Shape],
    ) -> None:
        self.rows, self.columns, self.inner = sizes
        self.size, self.lanes = dtype.itemsize, lane_count(dtype)
        self.transposed_a, self.mode, self.bias = transposed_a, mode, bias
        self.kernels = self._kernels(dtype)
        batch = np.broadcast_shapes(*batches)
        # For each matrix of the result the number of the one of A, and of B.
        self.matrices = [
            np.broadcast_to(np.arange(math.prod(own)).reshape(own), batch).reshape(-1).tolist()
            for own in batches
        ]
        addresses, tiles = self.kernels.for_rows(self.rows)
        self.edges = np.arange(tiles + 1) * self.rows // tiles
        self.addresses = addresses[np.diff(self.edges)]
        self._cut(tiles)

    def _kernels(self, dtype: np.dtype) -> MicroKernels:
        columns = micro_kernels(dtype).columns
        if self.rows <= _FEW_ROWS and self.columns > 2 * columns:
            return micro_kernels(dtype, 8)  # a vector times a matrix: wider tiles
        return micro_kernels(dtype, vectors_for(self.columns, dtype.name))

    def _cut(self, tiles: int) -> None:
        """Into blocks of rows, each so many panels wide."""
        work = self.rows * self.columns * self.inner
        reads = self.columns * self.inner
        self.depth = -(-self.inner // -(-self.inner // _DEPTH))
        wanted = min(_TASKS, max(1, work // _TASK_WORK, reads // _TASK_READS))
        count = min(wanted, max(1, tiles // 4))
        self.parts = -(-wanted // count)
        if self.columns > self.kernels.columns:
            count = max(count, -(-self.rows * self.depth * self.size // _BLOCK_BYTES))
        firsts = [block * tiles // count for block in range(count + 1)]
        self.blocks = list(itertools.pairwise(firsts))
        few = self.rows <= _FEW_ROWS
        self.work = len(self.matrices[0]) * work // (_READ_SPEED if few else _SPEED)

    def schedule(self, transposed_b: bool, is_fixed: bool) -> Schedule:
        columns, inner, width = self.columns, self.inner, self.kernels.columns
        uses = 4 if columns * self.size % _PAGE_BYTES == 0 else 16  # that packing pays for
        is_large = inner * columns * self.size > _LARGE_BYTES
        pays = is_fixed and columns != width
        if transposed_b or pays or (is_large and self.rows >= uses * self.kernels.rows):
            first = 0
        else:
            first = columns // width * width
        parts = []
        if first:
            parts.append(Part(-1, self._phases(0, first, False)))
        if first < columns:
            parts.append(Part(first, self._phases(first, columns, True)))
        return Schedule(len(self.matrices[0]), width, parts)

    def _phases(self, left: int, right: int, packed: bool) -> list[Phase]:
        """One for each block of the depth."""
        return [
            self._phase(k, min(self.depth, self.inner - k), left, right, packed)
            for k in range(0, self.inner, self.depth)
        ]

    def _phase(self, k: int, depth: int, left: int, right: int, packed: bool) -> Phase:
        width, size = self.kernels.columns, self.size
        panels = -(-(right - left) // width)
        some = -(-panels // min(panels, self.parts))
        box = self._box(depth, some)
        a_step, b_step = box.pitch, width if packed else self.columns
        if not box.planes:
            a_step = self.rows if self.transposed_a else self.inner
        a_row, a_step = (1, a_step) if self.transposed_a else (a_step, 1)
        is_last = k + depth == self.inner
        adds = ACCUMULATE if k else self.mode & ACCUMULATE
        mode = adds | (self.mode & ~ACCUMULATE if is_last else 0)
        if depth == self.inner:
            mode |= streaming(len(self.matrices[0]) * self.rows * self.columns * size)
        steps = Steps(
            taps=1,
            a_tap=0,
            b_tap=0,
            depth=depth,
            a_row=a_row * size,
            a_step=a_step * size,
            b_step=b_step * size,
            c_row=self.columns * size,
        )
        run = Run(a=0, b=0, mode=mode, bias=int(self.bias and is_last), addend=int(k == 0))
        return Phase(
            numbers(steps),
            numbers(box),
            self._tasks(k, depth, panels, some),
            self._tiles(a_row),
            self._panels(k, left, right, packed),
            table(Run, [run]),
            self.work,
        )

    def _box(self, depth: int, panels: int) -> Box:
        """The copy of a block of A, whose rows are no power of two apart."""
        step = self.rows if self.transposed_a else self.inner
        aliased = step * self.size % _ALIASED_BYTES == 0
        if not (aliased and self.rows > self.kernels.rows and panels > 2):
            return NO_BOX
        most = max(int(self.edges[end] - self.edges[first]) for first, end in self.blocks)
        count, length, of = (depth, most, depth) if self.transposed_a else (most, depth, self.rows)
        return Box(1, count, 0, 1, of, step, 1, length, length + 2 * self.lanes)

    def _tasks(self, k: int, depth: int, panels: int, some: int) -> np.ndarray:
        tasks = []
        matrices = zip(*self.matrices, strict=True)
        for (n, (a, b)), panel, (begin, end) in itertools.product(
            enumerate(matrices), range(0, panels, some), self.blocks
        ):
            top, bottom = int(self.edges[begin]), int(self.edges[end])
            start, first, stop = top * self.inner + k, top, depth
            if self.transposed_a:
                start, first, stop = k * self.rows + top, 0, bottom - top
            start += a * self.rows * self.inner
            tasks.append(
                Task(
                    window=Window(start=start, top=first, front=0, before=0, stop=stop),
                    first_tile=begin,
                    end_tile=end,
                    first_panel=b * panels + panel,
                    end_panel=b * panels + min(panels, panel + some),
                    c=(n * self.rows + top) * self.columns * self.size,
                )
            )
        return table(Task, tasks)

    def _tiles(self, a_row: int) -> np.ndarray:
        """Where tiles lie, counted from the first one of their block."""
        tops = np.concatenate(
            [self.edges[first:end] - self.edges[first] for first, end in self.blocks]
        )
        a, c = tops * (a_row * self.size), tops * (self.columns * self.size)
        return stacked(Tile, kernel=self.addresses, a=a, c=c)

    def _panels(self, k: int, left: int, right: int, packed: bool) -> np.ndarray:
        width, size = self.kernels.columns, self.size
        made = []
        count = -(-(right - left) // width)
        for matrix, panel in itertools.product(range(1 + max(self.matrices[1])), range(count)):
            place = left + panel * width
            if packed:
                b = ((matrix * count + panel) * self.inner + k) * width
            else:
                b = (matrix * self.inner + k) * self.columns + place
            columns = min(width, self.columns - place)
            made.append(Panel(a=0, b=b * size, c=place * size, columns=columns))
        return table(Panel, made)
