"""Rectangles of images that become parts of other images, or noise: nothing else is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from nkeras.backend.scalars.random import box_muller
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit import wide_math
from nkeras_numba_cpu.emit.simd import intrinsic
from nkeras_numba_cpu.emit.values import Value
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.random import WORK, Key, live_key, words_from
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import contiguous, move_line
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 32768  # elements that one task moves
PIECE = 1024  # random numbers that are made at once


@KERNELS.register
def paste_rectangles(
    x: np.ndarray, source: np.ndarray, order: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Images whose rectangles come from the same places of other images."""
    result = empty(x.shape, x.dtype)
    if result.size:
        count, numbers = _rows_of(x)
        numbers += len(source), source.shape[2], source.shape[3]
        kept = np.dtype(f"u{x.itemsize}")  # whatever they mean
        pair = [one if one.flags.carray else contiguous(one) for one in (x, source)]
        arrays = [one.reshape(-1).view(kept) for one in pair]
        places = [operand(one).reshape(-1) for one in (order, first, last)]
        _paste(count, result.size, *arrays, *places, result.reshape(-1).view(kept), numbers)
    return result


@KERNELS.register
def paste_noise(
    x: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    *,
    key: Key,
    size: tuple[int, int],
    scale: float,
    limits: tuple[float, float],
) -> np.ndarray:
    """Images whose rectangles become normal random numbers times `scale`, within limits."""
    given = operand(x)
    result = empty(x.shape, given.dtype)
    if result.size:
        count, numbers = _rows_of(x)
        noise = np.array([scale, *limits], np.float32)
        arrays = [operand(one).reshape(-1) for one in (given, first, last, result)]
        numbers += len(x), *size, x.dtype.kind in "iu"
        _noise(count, result.size * WORK, live_key(key), *arrays, noise, numbers)
    return stored(result, x.dtype)


def _rows_of(x: np.ndarray) -> tuple[int, tuple[int, ...]]:
    """How many tasks there are, of some rows of one image each, and what they need to know."""
    batch, planes, height, width, channels = x.shape
    rows = max(1, GRAIN // (width * channels))
    groups = -(-planes * height // rows)
    return batch * groups, (planes, height, width, channels, rows, groups)


@inner
def _ends(first, last, image, row, height, width):
    """From which column to which one a row lies in its image's rectangle."""
    y = row % height
    if y < first[2 * image] or y >= last[2 * image]:
        return 0, 0
    return max(0, np.int64(first[2 * image + 1])), min(width, np.int64(last[2 * image + 1]))


@inner
def _copied(task, x, y, height, line, planes, rows, groups):
    """Copy the rows of a task: its image, the first row, the one behind the last, the image's."""
    image = task // groups
    start = (task - image * groups) * rows
    stop = min(start + rows, planes * height)
    begin = image * planes * height
    move_line(y, (begin + start) * line, x, (begin + start) * line, (stop - start) * line)
    return image, start, stop, begin


@tasks
def _paste(task, x, source, order, first, last, y, numbers):
    planes, height, width, channels, rows, groups, many, tall, wide = numbers
    line = width * channels
    image, start, stop, begin = _copied(task, x, y, height, line, planes, rows, groups)
    other = np.int64(order[image]) % many
    for row in range(start, stop):
        column, end = _ends(first, last, image, row, height, width)
        plane = row // height
        base = ((other * planes + plane) * tall + (row - plane * height) % tall) * wide
        while column < end:
            place = column % wide
            count = min(wide - place, end - column)
            target = (begin + row) * line + column * channels
            move_line(y, target, source, (base + place) * channels, count * channels)
            column += count


def _emit_normal(typingctx, first, second):
    """A normal number of two random words."""

    def codegen(context, builder, signature, values):
        table = wide_math.functions_within("float32", lambda condition: None)
        units = [Value(context, builder, types.int32, word).cast(types.float32) for word in values]
        units = [unit * unit.constant(2.0**-24) for unit in units]
        return box_muller.bind(table, "float32")(*units).data

    return types.float32(types.int32, types.int32), codegen


_normal: Any = intrinsic(_emit_normal)


@tasks
def _noise(task, key, x, first, last, y, noise, numbers):
    planes, height, width, channels, rows, groups, batch, tall, wide, is_whole = numbers
    line = width * channels
    image, start, stop, begin = _copied(task, x, y, height, line, planes, rows, groups)
    scale, low, high = noise[0], noise[1], noise[2]
    half = batch * planes * tall * wide * channels
    words, made = allocate(np.uint32, 2 * (PIECE + 8)), allocate(np.float32, PIECE)
    u, v = part(words, 0, PIECE + 8), part(words, PIECE + 8, PIECE + 8)
    for row in range(start, stop):
        column, end = _ends(first, last, image, row, height, width)
        plane = row // height
        base = ((image * planes + plane) * tall + (row - plane * height) % tall) * wide
        at, beyond = column * channels, end * channels
        while at < beyond:
            place = at % (wide * channels)
            count = min(PIECE, min(wide * channels - place, beyond - at))
            place += base * channels
            used = (count + 7) // 4 * 4
            a = words_from(key, place, part(u, 0, used))
            b = words_from(key, half + place, part(v, 0, used))
            one, other = part(u, a, count), part(v, b, count)
            pasted = part(y, (begin + row) * line + at, count)
            for j in range(count):
                number = _normal(
                    np.int32(one[j] >> np.uint32(8)), np.int32(other[j] >> np.uint32(8))
                )
                made[j] = min(max(number * scale, low), high)
            if is_whole:
                for j in range(count):
                    made[j] = np.rint(made[j])
            for j in range(count):
                pasted[j] = pasted.dtype.type(made[j])
            at += count
    release(made)
    release(words)
