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

from nkeras_numba_cpu.copies import contiguous, fill
from nkeras_numba_cpu.folds import bound
from nkeras_numba_cpu.memory import compute_dtype, empty, is_floating, operand, stored
from nkeras_numba_cpu.scans import argmax, argmin, argsort, cumprod, cumsum, sort

__all__ = [
    "argmax",
    "argmin",
    "argsort",
    "cumprod",
    "cumsum",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "sort",
]

Axes = tuple[int, ...]

GRAIN = 32768  # elements that one task reduces
PIECE = 1024  # elements that are added up in one go: a longer sum is a sum of such sums
WIDTH = 512  # columns of a block
LANES = 128  # elements that are reduced side by side where the rows are short


def reduce_sum(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("sum", x, axis, keepdims, 0)


def reduce_mean(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("sum", x, axis, keepdims, math.nan, math.prod(x.shape[a] for a in axis))


def reduce_prod(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("prod", x, axis, keepdims, 1)


def reduce_max(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("max", x, axis, keepdims, None)


def reduce_min(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("min", x, axis, keepdims, None)


def reduce_any(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("max", x, axis, keepdims, 0)


def reduce_all(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return _reduced("min", x, axis, keepdims, 1)


def _reduced(
    name: str, x: np.ndarray, axis: Axes, keepdims: bool, of_none: Any, divisor: int = 1
) -> np.ndarray:
    """One fold of x; `of_none` is its value where there are no elements, None if it has none."""
    dtype = x.dtype
    shape, stages = _plan(x.shape, axis, keepdims)
    if x.size == 0 or not stages:
        return _without_work(x, shape, axis, of_none)
    if dtype == np.bool_:  # bytes 0 and 1; a sum or product of them is a bool, too
        name = {"sum": "max", "prod": "min"}.get(name, name)
        seen = np.dtype(np.uint8)
    else:
        seen = compute_dtype(dtype)
    part = operand(x).reshape(-1)
    if dtype == np.bool_:
        part = part.view(seen)
    for stage in stages:
        source, part = part, empty((stage.size,), seen)
        kernel = bound(stage.template, name, seen)
        last = stage is stages[-1]
        kernel(stage.tasks, source.size, source, part, stage.numbers, divisor if last else 1)
    part = part.reshape(shape)
    if dtype == np.bool_:
        return part.view(np.bool_)
    return stored(part, dtype)


def _without_work(x: np.ndarray, shape: tuple[int, ...], axis: Axes, of_none: Any) -> np.ndarray:
    """The reduction of no elements, or of one element each."""
    if x.size:
        return contiguous(x).reshape(shape)
    result = empty(shape, x.dtype)
    if result.size:
        if of_none is None:
            raise ValueError(
                f"reduction of shape {x.shape} over axis {axis}: no elements to choose from"
            )
        fill(result, of_none)
    return result


class _Stage(NamedTuple):
    """One launch: the template, the number of tasks, of results, and what the tasks need to know."""

    template: FunctionType
    tasks: int
    size: int
    numbers: tuple[int, ...]


@lru_cache(maxsize=4096)
def _plan(
    shape: tuple[int, ...], axis: Axes, keepdims: bool
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
                stage, reduced = make(outer, reduced, inner)
                stages.append(stage)
    return result, tuple(stages)


def _row_stage(outer: int, reduced: int, inner: int) -> tuple[_Stage, int]:
    """A launch for reduced elements that lie side by side, and how many it leaves of each row."""
    count = -(-reduced // GRAIN) if reduced > 2 * GRAIN else 1
    length = -(-reduced // count)
    count = -(-reduced // length)
    blocks = outer * count
    group = max(1, GRAIN // length)
    numbers = (reduced, count, length, group, blocks)
    return _Stage(_fold_rows, -(-blocks // group), blocks, numbers), count


def _column_stage(outer: int, reduced: int, inner: int) -> tuple[_Stage, int]:
    """A launch for rows that are reduced to one row, and how many rows it leaves."""
    across = -(-inner // WIDTH)
    width = -(-inner // across)
    length = max(16, GRAIN // width)
    if reduced <= 2 * length or (outer * across >= 16 and reduced <= 8 * length):
        length = reduced
    count = -(-reduced // length)
    length = -(-reduced // count)
    count = -(-reduced // length)
    lanes = LANES // inner * inner if inner <= LANES // 2 else 0
    if lanes * 2 > length * inner:
        lanes = 0
    blocks = outer * count * across
    group = max(1, GRAIN // (length * width))
    numbers = (reduced, inner, count, length, across, width, lanes, group, blocks)
    return _Stage(_fold_columns, -(-blocks // group), outer * count * inner, numbers), count


def combine(a: Any, b: Any) -> Any:
    """Stands for the function that a template is bound to."""
    raise TypeError("A template must be bound to a fold.")


def finish(total: Any, divisor: float) -> Any:
    """Stands for what the fold does with a result."""
    raise TypeError("A template must be bound to a fold.")


def _fold_rows(task, x, parts, numbers, divisor):
    reduced, count, length, group, blocks = numbers
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


def _fold_columns(task, x, parts, numbers, divisor):
    reduced, inner, count, length, across, width, lanes, group, blocks = numbers
    for block in range(task * group, min(task * group + group, blocks)):
        number = block // across
        column = (block - number * across) * width
        n = number // count
        first = (number - n * count) * length
        rows = min(length, reduced - first)
        x_block = x[(n * reduced + first) * inner + column :]
        target = parts[number * inner + column : number * inner + min(column + width, inner)]
        folded, step, rest = target, inner, 0
        if lanes > 0 and rows * inner >= lanes:  # short rows: several of them are one long row
            folded, step = np.empty(lanes, x.dtype), lanes
            rest = rows * inner % lanes
            rows = rows * inner // lanes
        size = folded.size
        line = x_block[:size]
        for j in range(size):
            folded[j] = line[j]
        i = 1
        while i + 4 <= rows:
            row0, row1 = x_block[i * step :], x_block[(i + 1) * step :]
            row2, row3 = x_block[(i + 2) * step :], x_block[(i + 3) * step :]
            for j in range(size):
                two = combine(combine(folded[j], row0[j]), row1[j])
                folded[j] = combine(combine(two, row2[j]), row3[j])
            i += 4
        while i < rows:
            row0 = x_block[i * step :]
            for j in range(size):
                folded[j] = combine(folded[j], row0[j])
            i += 1
        if step != inner:
            tail = x_block[rows * step :]
            for j in range(rest):
                folded[j] = combine(folded[j], tail[j])
            for j in range(inner):
                target[j] = folded[j]
            for start in range(inner, lanes, inner):
                piece = folded[start : start + inner]
                for j in range(inner):
                    target[j] = combine(target[j], piece[j])
        for j in range(target.size):
            target[j] = finish(target[j], divisor)
