"""Reductions over axes.

An array is seen as `(outer, reduced, inner)`, once for each group of neighbouring axes, the last
group first. A task reduces one block of a size that depends on the shape alone; where a reduction
has several blocks, their results are reduced in turn. So the order of a sum is the same for any
number of threads, and its error grows with the number of blocks, not of elements.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from nkeras.core.errors import short
from nkeras_numba_cpu.emit.records import numbers, record
from nkeras_numba_cpu.emit.registers import vector_bits
from nkeras_numba_cpu.emit.simd import lanes_of, load, load_first, store, transpose_square
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.emit.views import part as part_of
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import contiguous, fill, filled
from nkeras_numba_cpu.loops.folds import bound
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy.kernels import KERNELS as REFERENCE

Axes = tuple[int, ...]

GRAIN = 32768  # elements that one task reduces
PIECE = 4096  # elements that are added up in one go: a longer sum is a sum of such sums
PART = 8192  # elements of a row that are one block: the fewer, the smaller the error of a sum
WIDTH = 4096  # columns of a block
SHORT = 8192  # elements of a row up to which as many rows as a vector has lanes go together


@KERNELS.register
def reduce_sum(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("sum", x, axis, keepdims, 0)


@KERNELS.register
def sum_of_squares(x: np.ndarray) -> np.ndarray:
    source = operand(x).reshape(-1)
    parts = empty((-(-source.size // PIECE),), source.dtype)
    if source.size:
        count = -(-parts.size // (GRAIN // PIECE))
        _squares(count, source.size, source, parts)
    return stored(_reduced("sum", parts, (0,), False, 0), x.dtype)


@tasks(reassociate=True)
def _squares(task, x, parts):
    group = GRAIN // PIECE
    for i in range(task * group, min(task * group + group, parts.size)):
        line = x[i * PIECE : min(i * PIECE + PIECE, x.size)]
        total = x.dtype.type(0)
        for j in range(line.size):
            total += line[j] * line[j]
        parts[i] = total


@KERNELS.register
def means_of_squares(x: np.ndarray, *, added: float) -> tuple[np.ndarray, np.ndarray]:
    """Means of `x * x + added` over the last axis and over the one before it, in one pass."""
    source, (*outer, height, width) = operand(x), x.shape
    if x.size == 0:
        none = filled(x.shape[:-1], x.dtype, math.nan)
        return none, filled((*outer, width), x.dtype, math.nan)
    matrices = math.prod(outer)
    step = max(1, GRAIN // width)
    blocks = -(-height // step)
    rows = empty((matrices * height,), source.dtype)
    parts = empty((matrices * blocks, width), source.dtype)
    flat = source.reshape(-1, width)
    _means_of_squares(len(parts), 2 * x.size, flat, rows, parts, height, step, blocks, added)
    columns = _reduced("sum", parts.reshape(matrices, blocks, width), (1,), False, 0)
    rows, columns = rows.reshape(x.shape[:-1]), columns.reshape(*outer, width)
    return stored(rows, x.dtype), stored(columns, x.dtype)


@tasks(reassociate=True)
def _means_of_squares(task, x, rows, parts, height, step, blocks, added):
    number = x.dtype.type
    matrix = task // blocks
    first = (task - matrix * blocks) * step
    part = parts[task]
    width = part.size
    of_row, of_column = number(1) / number(width), number(1) / number(height)
    for j in range(width):
        part[j] = 0
    for i in range(first, min(first + step, height)):
        line = x[matrix * height + i]
        total = number(0)
        for j in range(width):
            square = line[j] * line[j]
            total += square
            part[j] += square
        rows[matrix * height + i] = total * of_row + number(added)
    for j in range(width):
        part[j] = part[j] * of_column + number(added / blocks)


@KERNELS.register
def reduce_mean(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("sum", x, axis, keepdims, math.nan, math.prod(x.shape[a] for a in axis))


@KERNELS.register
def reduce_prod(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("prod", x, axis, keepdims, 1)


@KERNELS.register
def reduce_max(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("max", x, axis, keepdims, None)


@KERNELS.register
def reduce_min(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("min", x, axis, keepdims, None)


@KERNELS.register
def reduce_fmax(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("fmax", x, axis, keepdims, None)


@KERNELS.register
def reduce_fmin(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("fmin", x, axis, keepdims, None)


@KERNELS.register
def reduce_any(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("max", x, axis, keepdims, 0)


@KERNELS.register
def reduce_all(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("min", x, axis, keepdims, 1)


def _reduced(
    name: str, x: np.ndarray, axis: Axes, keepdims: bool, of_none: Any, divisor: int = 1
) -> np.ndarray:
    """One fold of x; `of_none` is its value where there are no elements, None if it has none."""
    dtype = x.dtype
    shape, seen, launches = _launches(name, x.shape, axis, keepdims, dtype)
    if launches is None:
        return by_numpy(_of_complex, x, name=name, axis=axis, keepdims=keepdims, divisor=divisor)
    if not launches:
        return _without_work(x, shape, axis, of_none)
    part = operand(x).reshape(-1)
    if part.dtype != seen:
        part = part.view(seen)
    for kernel, count, size, cut, is_last in launches:
        source, part = part, empty((size,), seen)
        kernel(count, source.size, source, part, cut, divisor if is_last else 1)
    part = part.reshape(shape)
    if seen == dtype:
        return part
    return part.view(dtype) if dtype == np.bool_ else stored(part, dtype)


def _of_complex(
    x: np.ndarray, *, name: str, axis: Axes, keepdims: bool, divisor: int
) -> np.ndarray:
    made = REFERENCE[f"reduce_{name}"](x, axis=axis, keepdims=keepdims)
    with np.errstate(all="ignore"):
        return made if divisor == 1 else np.asarray(made / divisor, x.dtype)


@lru_cache(maxsize=4096)
def _launches(
    name: str, shape: tuple[int, ...], axis: Axes, keepdims: bool, dtype: np.dtype
) -> tuple[tuple[int, ...], np.dtype, tuple[Any, ...] | None]:
    """Shape of the result, what the kernels see as the dtype, and the launches.

    There are none, but None, for complex numbers: NumPy reduces them.
    """
    if dtype.kind == "c":
        return (), dtype, None
    seen = compute_dtype(dtype)
    if dtype == np.bool_:  # bytes 0 and 1; a sum or product of them is a bool, too
        name = {"sum": "max", "prod": "min"}.get(name, name)
        seen = np.dtype(np.uint8)
    result, stages = _plan(shape, axis, keepdims, seen.itemsize)
    launches = []
    for stage in stages:
        template = stage.vectors if seen.kind == "f" else stage.template
        if template is _fold_many_rows and stage.cut[0] == 3 and name not in ("sum", "prod"):
            template = _fold_threes  # of a sum it might change the order
        kernel = bound(template, name, seen)
        is_last = stage is stages[-1]
        launches.append((kernel, stage.tasks, stage.size, stage.cut, is_last))
    return result, seen, tuple(launches)


def _without_work(x: np.ndarray, shape: tuple[int, ...], axis: Axes, of_none: Any) -> np.ndarray:
    """The reduction of no elements, or of one element each."""
    if x.size:
        return contiguous(x).reshape(shape)
    result = empty(shape, x.dtype)
    if result.size:
        if of_none is None:
            raise ValueError(
                f"reduction of shape {x.shape} over axis {short(axis)}: no elements to choose from"
            )
        fill(result, of_none)
    return result


class _Cut(NamedTuple):
    """How a launch cuts `(outer, reduced, inner)` elements into blocks."""

    reduced: int
    inner: int
    parts: int  # that the reduced elements are cut into
    length: int  # reduced elements of a part
    across: int  # blocks that lie side by side
    width: int  # inner elements of a block
    group: int  # blocks of a task
    blocks: int


class _Stage(NamedTuple):
    """One launch: its template, the numbers of tasks and of results, and what tasks must know."""

    template: FunctionType
    vectors: FunctionType  # the template for floats
    tasks: int
    size: int
    cut: tuple[int, ...]  # _Cut


def _plan(
    shape: tuple[int, ...], axis: Axes, keepdims: bool, itemsize: int
) -> tuple[tuple[int, ...], tuple[_Stage, ...]]:
    """The shape of the result, and the launches that lead to it."""
    result = tuple(
        1 if a in axis else size for a, size in enumerate(shape) if keepdims or a not in axis
    )
    stages: list[_Stage] = []
    if math.prod(shape):
        sizes = list(shape)
        for a in sorted(axis, reverse=True):
            if a + 1 in axis and a + 1 < len(shape):
                continue
            first = a
            while first - 1 in axis:
                first -= 1
            reduced, inner = math.prod(sizes[first : a + 1]), math.prod(sizes[a + 1 :])
            sizes[first : a + 1] = [1] * (a + 1 - first)
            outer = math.prod(sizes[:first])
            while reduced > 1:
                make = _row_stage if inner == 1 else _column_stage
                stage, reduced = make(outer, reduced, inner, itemsize)
                stages.append(stage)
    return result, tuple(stages)


def _row_stage(outer: int, reduced: int, inner: int, itemsize: int) -> tuple[_Stage, int]:
    """A launch for reduced elements that lie side by side, and how many it leaves of each row."""
    count = -(-reduced // PART) if reduced > 2 * PART else 1
    length = -(-reduced // count)
    count = -(-reduced // length)
    blocks = outer * count
    group = max(1, GRAIN // length // 16 * 16 or GRAIN // length)
    vectors = _fold_many_rows if reduced <= SHORT and outer >= 16 else _fold_few_columns
    cut = _Cut(reduced, 1, count, length, across=1, width=1, group=group, blocks=blocks)
    return _Stage(_fold_rows, vectors, -(-blocks // group), blocks, numbers(cut)), count


def _column_stage(outer: int, reduced: int, inner: int, itemsize: int) -> tuple[_Stage, int]:
    """A launch for rows that are reduced to one row, and how many rows it leaves."""
    across = -(-inner // WIDTH)
    width = -(-inner // across)
    length = max(16, GRAIN // width)
    if reduced <= 2 * length or (outer * across >= 16 and reduced <= 8 * length):
        length = reduced
    count = -(-reduced // length)
    length = -(-reduced // count)
    count = -(-reduced // length)
    blocks = outer * count * across
    group = max(1, GRAIN // (length * width))
    four = 4 * vector_bits() // (8 * itemsize)
    vectors = _fold_few_columns if inner <= four else _fold_columns
    tasks, size = -(-blocks // group), outer * count * inner
    cut = _Cut(reduced, inner, count, length, across, width, group, blocks)
    return _Stage(_fold_columns, vectors, tasks, size, numbers(cut)), count


def combine(a: Any, b: Any) -> Any:
    """Stands for the function that a template is bound to."""
    raise TypeError("A template must be bound to a fold.")


def finish(total: Any, divisor: float) -> Any:
    """Stands for what the fold does with a result."""
    raise TypeError("A template must be bound to a fold.")


def _fold_rows(task, x, parts, cut, divisor):
    of = record(_Cut, cut)
    reduced, length, group, count, blocks = of.reduced, of.length, of.group, of.parts, of.blocks
    for block in range(task * group, min(task * group + group, blocks)):
        n = block // count
        first = (block - n * count) * length
        size = min(length, reduced - first)
        line = x[n * reduced + first : n * reduced + first + size]
        total = line[0]
        for j in range(1, min(PIECE, size)):
            total = combine(total, line[j])
        for start in range(PIECE, size, PIECE):
            piece = line[start : start + PIECE]
            part = piece[0]
            for j in range(1, piece.size):
                part = combine(part, piece[j])
            total = combine(total, part)
        parts[block] = finish(total, divisor)


def _fold_many_rows(task, x, parts, cut, divisor):
    """As _fold_rows for many rows: a row becomes a vector, a square of these the results."""
    of = record(_Cut, cut)
    reduced, group, rows = of.reduced, of.group, of.blocks
    lanes = lanes_of(x)
    whole = reduced // lanes * lanes
    square, turned = allocate(x.dtype, lanes * lanes), allocate(x.dtype, lanes * lanes)
    first, last = task * group, min(task * group + group, rows)
    row = first
    # A square that begins in a row may end in later ones, but not behind x.
    while row + lanes <= last and (row + lanes) * reduced + lanes <= x.size:
        start, begin = row * reduced, 0
        total = load(x, start)
        if whole:
            for i in range(lanes):
                place = start + i * reduced
                end = place + whole
                line = load(x, place)
                place += lanes
                if place + 3 * lanes <= end:
                    a, b, c = load(x, place), load(x, place + lanes), load(x, place + 2 * lanes)
                    place += 3 * lanes
                    while place + 4 * lanes <= end:
                        line = combine(line, load(x, place))
                        a = combine(a, load(x, place + lanes))
                        b = combine(b, load(x, place + 2 * lanes))
                        c = combine(c, load(x, place + 3 * lanes))
                        place += 4 * lanes
                    line = combine(combine(line, a), combine(b, c))
                while place < end:
                    line = combine(line, load(x, place))
                    place += lanes
                store(square, i * lanes, line)
            transpose_square(square, 0, lanes, turned, 0, lanes)
            total = load(turned, 0)
            for i in range(1, lanes):
                total = combine(total, load(turned, i * lanes))
        if whole < reduced:
            transpose_square(x, start + whole, reduced, turned, 0, lanes)
            if not whole:
                total = load(turned, 0)
                begin = 1
            for i in range(begin, reduced - whole):
                total = combine(total, load(turned, i * lanes))
        store(parts, row, total)
        row += lanes
    while row < last:
        line = x[row * reduced : row * reduced + reduced]
        number = line[0]
        for j in range(1, reduced):
            number = combine(number, line[j])
        parts[row] = number
        row += 1
    target = parts[first:last]
    for j in range(target.size):
        target[j] = finish(target[j], divisor)
    release(square)
    release(turned)


def _fold_threes(task, x, parts, cut, divisor):
    """As _fold_rows for rows of three, such as colors."""
    of = record(_Cut, cut)
    first = task * of.group
    size = min(of.group, of.blocks - first)
    source, target = part_of(x, 3 * first, 3 * size), part_of(parts, first, size)
    for j in range(np.uint64(size)):
        at = np.uint64(3) * j
        total = combine(source[at], source[at + np.uint64(1)])
        target[j] = finish(combine(total, source[at + np.uint64(2)]), divisor)


def _fold_columns(task, x, parts, cut, divisor):
    of = record(_Cut, cut)
    reduced, inner, length, across, width = of.reduced, of.inner, of.length, of.across, of.width
    count, group, blocks = of.parts, of.group, of.blocks
    for block in range(task * group, min(task * group + group, blocks)):
        number = block // across
        column = (block - number * across) * width
        n = number // count
        first = (number - n * count) * length
        target = parts[number * inner + column : number * inner + min(column + width, inner)]
        start = (n * reduced + first) * inner + column
        line = x[start : start + target.size]
        for j in range(target.size):
            target[j] = line[j]
        for i in range(1, min(length, reduced - first)):
            line = x[start + i * inner : start + i * inner + target.size]
            for j in range(target.size):
                target[j] = combine(target[j], line[j])
        for j in range(target.size):
            target[j] = finish(target[j], divisor)


def _fold_few_columns(task, x, parts, cut, divisor):
    """As _fold_columns for rows so short that four vectors hold as many of them as fit."""
    of = record(_Cut, cut)
    reduced, inner, length = of.reduced, of.inner, of.length
    count, group, blocks = of.parts, of.group, of.blocks
    lanes = lanes_of(x)
    folded = allocate(x.dtype, 4 * lanes)
    for block in range(task * group, min(task * group + group, blocks)):
        n = block // count
        first = (block - n * count) * length
        size = min(length, reduced - first) * inner
        start = (n * reduced + first) * inner
        line = part_of(x, start, x.size - start)
        step = min(4 * lanes // inner * inner, size)
        a = load_first(line, 0, step)
        b = load_first(line, lanes, step - lanes)
        c = load_first(line, 2 * lanes, step - 2 * lanes)
        d = load_first(line, 3 * lanes, step - 3 * lanes)
        place = step
        # What is read behind the step is not used, but must not lie behind x.
        while place + step <= size and place + 4 * lanes <= line.size:
            a = combine(a, load(line, place))
            b = combine(b, load(line, place + lanes))
            c = combine(c, load(line, place + 2 * lanes))
            d = combine(d, load(line, place + 3 * lanes))
            place += step
        store(folded, 0, a)
        store(folded, lanes, b)
        store(folded, 2 * lanes, c)
        store(folded, 3 * lanes, d)
        while place < size:
            part = part_of(line, place, min(step, size - place))
            for j in range(part.size):
                folded[j] = combine(folded[j], part[j])
            place += step
        if step == 4 * lanes and lanes % inner == 0:
            a = combine(load(folded, 0), load(folded, lanes))
            b = combine(load(folded, 2 * lanes), load(folded, 3 * lanes))
            store(folded, 0, combine(a, b))
            step = lanes
        target = part_of(parts, block * inner, inner)
        for j in range(inner):
            total = folded[j]
            for k in range(j + inner, step, inner):
                total = combine(total, folded[k])
            target[j] = finish(total, divisor)
    release(folded)
