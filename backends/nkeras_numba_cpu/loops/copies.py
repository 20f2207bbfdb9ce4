"""Copies between arrays of any strides: what a transposition, a pad, a concatenation come down to.

Bits are copied, whatever they mean: arrays of all dtypes of one size share the compiled code. The
dimensions are brought into the order of the target and joined where they can be, in Python and once
for each layout; the compiled part is a loop over blocks of rows and columns.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.records import numbers, record
from nkeras_numba_cpu.emit.simd import intrinsic, lanes_of, transpose_square
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.launch.numpy_calls import write
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation

GRAIN = 32768  # elements that one task copies
OUTER = 4  # dimensions around the rows and columns of a block
TILE = 512

# Floats for the sizes that have vectors; a float is moved as it is, a NaN too.
_BITS = {1: np.dtype(np.uint8), 2: np.dtype(np.uint16), 4: np.dtype("f4"), 8: np.dtype("f8")}


@preparation
def contiguous(x: np.ndarray) -> np.ndarray:
    """A C-contiguous copy of x."""
    result = empty(x.shape, x.dtype)
    copy(x, result)
    return result


def copy(source: np.ndarray, target: np.ndarray) -> None:
    """Write `source` into `target`, an array or view of the same shape and dtype."""
    if target.size == 0:
        return
    schedule = _schedule(target.shape, source.strides, target.strides, target.itemsize)
    if schedule is None:  # fields of a structure, or more dimensions than any layer has
        write(source, target)
        return
    bits = _BITS[target.itemsize]
    of, to = _span(source, schedule.source, bits), _span(target, schedule.target, bits)
    _KERNELS[schedule.kind](schedule.tasks, schedule.work, of, to, schedule.loops)


def filled(shape: tuple[int, ...], dtype: Any, value: Any) -> np.ndarray:
    """A new array of one value."""
    result = empty(shape, dtype)
    fill(result, value)
    return result


def fill(target: np.ndarray, value: Any) -> None:
    """Write one value into an array or view."""
    if target.size == 0:
        return
    schedule = _schedule(target.shape, (0,) * target.ndim, target.strides, target.itemsize)
    if schedule is None:
        write(value, target)
        return
    bits = np.dtype(f"u{target.itemsize}")
    to = _span(target, schedule.target, bits)
    _fill(schedule.tasks, schedule.work, to, _pattern(value, target.dtype), schedule.loops)


@lru_cache(maxsize=256)
def _pattern(value: Any, dtype: np.dtype) -> int:
    """The bits of a value, as a signed number."""
    return int(np.array(value).astype(dtype).view(f"i{dtype.itemsize}"))


def bits_of(x: np.ndarray) -> np.ndarray:
    """x, contiguous and flat, as the dtype that stands for all of its size."""
    flags = x.flags
    if not (flags.c_contiguous and flags.aligned):
        x = contiguous(x)
    bits = _BITS[x.itemsize]
    if not x.flags.writeable:
        return np.asarray(_Span(x, _Extent(0, x.size, None), bits))
    flat = x.reshape(-1)
    return flat if flat.dtype == bits else flat.view(bits)


class _Extent(NamedTuple):
    """Where the elements of an array lie: `size` places, the first `below` before the origin.

    `order` are the axes from the widest to the narrowest, if they fill all places, else None.
    """

    below: int
    size: int
    order: tuple[int, ...] | None


class _Loop(NamedTuple):
    """One dimension: how many elements it has, and their distance in source and target."""

    size: int
    source: int
    target: int


_ONCE = _Loop(1, 0, 0)


class _Loops(NamedTuple):
    """What tasks know of a copy."""

    source: int  # where its first element lies
    target: int
    rows: _Loop
    columns: _Loop
    height: int  # of a block
    width: int
    group: int  # numbers of a task
    around: int  # how many numbers the outer dimensions have, the last of which changes first
    outer_0: _Loop
    outer_1: _Loop
    outer_2: _Loop
    outer_3: _Loop


class _Schedule(NamedTuple):
    """How to copy between two layouts."""

    kind: str
    tasks: int
    work: int
    source: _Extent
    target: _Extent
    loops: tuple[int, ...]  # _Loops


@lru_cache(maxsize=4096)
def _schedule(
    shape: tuple[int, ...],
    source_strides: tuple[int, ...],
    target_strides: tuple[int, ...],
    itemsize: int,
) -> _Schedule | None:
    if itemsize not in _BITS or any(s % itemsize for s in (*source_strides, *target_strides)):
        return None
    steps = [
        (n, s // itemsize, t // itemsize)
        for n, s, t in zip(shape, source_strides, target_strides, strict=True)
    ]
    source = _extent([(n, s) for n, s, _ in steps])
    target = _extent([(n, t) for n, _, t in steps])
    start, place = source.below, target.below
    loops = []
    for n, s, t in steps:
        if t < 0:  # walk forwards through the target
            start, place, s, t = start + (n - 1) * s, place + (n - 1) * t, -s, -t
        if n > 1:
            loops.append(_Loop(n, s, t))
    loops = _joined(sorted(loops, key=lambda loop: -loop.target)) or [_Loop(1, 1, 1)]
    columns = loops.pop()
    inner = next((loop for loop in loops if loop.source == 1), None)
    crossed = columns.source not in (0, 1) and columns.target == 1 and inner is not None
    rows = inner if crossed and inner else loops[-1] if loops else _ONCE
    if loops:
        loops.remove(rows)
    if len(loops) > OUTER:
        return None
    kind = "rows" if not crossed else "squares" if itemsize >= 4 else "cells"
    height, width = _block(rows.size, columns.size, kind)
    around = math.prod(loop.size for loop in loops)
    blocks = -(-rows.size // height) * -(-columns.size // width)
    group = max(1, GRAIN // (rows.size * columns.size)) if blocks == 1 else 1
    loops = [_ONCE] * (OUTER - len(loops)) + loops
    made = _Loops(start, place, rows, columns, height, width, group, around, *loops)
    return _Schedule(
        kind,
        -(-around // group) * blocks,
        math.prod(shape),
        source,
        target,
        numbers(made),
    )


def _extent(steps: list[tuple[int, int]]) -> _Extent:
    below = -sum((n - 1) * step for n, step in steps if step < 0)
    size = 1 + sum((n - 1) * abs(step) for n, step in steps)
    order = sorted(range(len(steps)), key=lambda axis: (-steps[axis][1], -steps[axis][0]))
    filled, dense = 1, True
    for axis in reversed(order):
        n, step = steps[axis]
        dense = dense and (n == 1 or step == filled)
        filled *= n
    return _Extent(below, size, tuple(order) if dense else None)


def _joined(loops: list[_Loop]) -> list[_Loop]:
    """Loops, outermost first, with those that continue each other made one."""
    result: list[_Loop] = []
    for n, s, t in loops:
        if result and result[-1][1:] == (n * s, n * t):
            n *= result.pop().size
        result.append(_Loop(n, s, t))
    return result


def _block(rows: int, columns: int, kind: str) -> tuple[int, int]:
    """Height and width of the block that one task copies."""
    if kind == "rows":
        width = min(columns, GRAIN)
        return max(1, min(rows, GRAIN // width)), width
    height = min(rows, TILE)
    width = 64 if kind == "cells" else max(64, GRAIN // height // 64 * 64)
    return height, min(columns, width)


class _Span:
    """Memory from the first to the last element of an array, as a flat array that may be written.

    Read-only is another type for Numba, and so another compilation of the same loop.
    """

    def __init__(self, owner: np.ndarray, extent: _Extent, bits: np.dtype) -> None:
        address, _ = owner.__array_interface__["data"]
        self.owner = owner
        self.__array_interface__ = {
            "shape": (extent.size,),
            "typestr": bits.str,
            "data": (address - extent.below * owner.itemsize, False),
            "version": 3,
        }


def _span(x: np.ndarray, extent: _Extent, bits: np.dtype) -> np.ndarray:
    flags = x.flags
    if extent.order is None or not (flags.writeable and flags.aligned):
        return np.asarray(_Span(x, extent, bits))
    flat = x.reshape(-1) if flags.c_contiguous else x.transpose(extent.order).reshape(-1)
    return flat if flat.dtype == bits else flat.view(bits)


@intrinsic
def move(typingctx, target, place, source, start):
    """target[place] = source[start], of one dtype, without a test for negative indices."""

    def codegen(context, builder, signature, values):
        to, place, of, start = values
        kinds = signature.args
        to = context.make_array(kinds[0])(context, builder, to).data
        of = context.make_array(kinds[2])(context, builder, of).data
        builder.store(builder.load(builder.gep(of, [start])), builder.gep(to, [place]))
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), codegen


@intrinsic
def move_line(typingctx, target, place, source, start, count):
    """target[place : place + count] = source[start : start + count], of one dtype."""

    def codegen(context, builder, signature, values):
        to, place, of, start, count = values
        kinds = signature.args
        to = context.make_array(kinds[0])(context, builder, to).data
        of = context.make_array(kinds[2])(context, builder, of).data
        size = context.get_abi_sizeof(context.get_data_type(kinds[0].dtype))
        cgutils.raw_memcpy(
            builder,
            builder.gep(to, [place]),
            builder.gep(of, [start]),
            count,
            ir.Constant(count.type, size),
        )
        return context.get_dummy_value()

    integer = types.int64
    return types.void(target, integer, source, integer, integer), codegen


@inner
def _block_of(task, loops):
    """The block of a task: row, column, height, width, first and last number around it."""
    rows, columns, height, width = loops.rows.size, loops.columns.size, loops.height, loops.width
    across = (columns + width - 1) // width
    blocks = across * ((rows + height - 1) // height)
    around = task // blocks
    block = task - around * blocks
    down = block // across
    row, column = down * height, (block - down * across) * width
    first = around * loops.group
    last = min(first + loops.group, loops.around)
    return row, column, min(height, rows - row), min(width, columns - column), first, last


@inner
def _outside(number, s, t, loop):
    """Move s and t along one more dimension, of which `number` holds the place as last digit."""
    rest = number // loop.size
    digit = number - rest * loop.size
    return rest, s + digit * loop.source, t + digit * loop.target


@inner
def _origin(number, row, column, loops):
    """Where the element at row and column lies in source and target."""
    s = loops.source + row * loops.rows.source + column * loops.columns.source
    t = loops.target + row * loops.rows.target + column * loops.columns.target
    number, s, t = _outside(number, s, t, loops.outer_3)
    number, s, t = _outside(number, s, t, loops.outer_2)
    number, s, t = _outside(number, s, t, loops.outer_1)
    number, s, t = _outside(number, s, t, loops.outer_0)
    return s, t


@tasks
def _rows(task, source, target, loops):
    loops = record(_Loops, loops)
    s_row, t_row = loops.rows.source, loops.rows.target
    s_column, t_column = loops.columns.source, loops.columns.target
    row, column, rows, columns, first, last = _block_of(task, loops)
    for number in range(first, last):
        s, t = _origin(number, row, column, loops)
        for _ in range(rows):
            if s_column == 1 and t_column == 1 and columns > 8:
                move_line(target, t, source, s, columns)
            elif s_column == 0 and t_column == 1:
                line = part(target, t, columns)
                value = source[s]
                for j in range(columns):
                    line[j] = value
            else:
                for j in range(columns):
                    move(target, t + j * t_column, source, s + j * s_column)
            s += s_row
            t += t_row


@tasks
def _squares(task, source, target, loops):
    loops = record(_Loops, loops)
    t_row, s_column = loops.rows.target, loops.columns.source
    row, column, rows, columns, first, last = _block_of(task, loops)
    lanes = lanes_of(source)
    for number in range(first, last):
        s, t = _origin(number, row, column, loops)
        i = 0
        while i + lanes <= rows:
            j = 0
            while j + lanes <= columns:
                place = t + i * t_row + j
                transpose_square(source, s + j * s_column + i, s_column, target, place, t_row)
                j += lanes
            for q in range(j, columns):
                for p in range(i, i + lanes):
                    move(target, t + p * t_row + q, source, s + q * s_column + p)
            i += lanes
        for q in range(columns):
            for p in range(i, rows):
                move(target, t + p * t_row + q, source, s + q * s_column + p)


@tasks
def _cells(task, source, target, loops):
    loops = record(_Loops, loops)
    t_row, s_column = loops.rows.target, loops.columns.source
    row, column, rows, columns, first, last = _block_of(task, loops)
    for number in range(first, last):
        s, t = _origin(number, row, column, loops)
        for p in range(rows):
            for q in range(columns):
                move(target, t + p * t_row + q, source, s + q * s_column + p)


@tasks
def _fill(task, target, bits, loops):
    loops = record(_Loops, loops)
    t_row, t_column = loops.rows.target, loops.columns.target
    row, column, rows, columns, first, last = _block_of(task, loops)
    for number in range(first, last):
        _, t = _origin(number, row, column, loops)
        for _ in range(rows):
            line = target[t:]
            for j in range(columns):
                line[j * t_column] = bits
            t += t_row


_KERNELS = {"rows": _rows, "squares": _squares, "cells": _cells}
