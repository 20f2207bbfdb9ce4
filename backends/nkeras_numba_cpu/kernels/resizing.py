"""Images of another size, height and width in one pass.

Of what is in between, a task holds some lines on the stack. An image that gets lower is made lower
first: a line of the result is some sums of whole lines, spread over its new width at once. One that
gets higher is made wider first, each old line once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nkeras.backend.resampling import rows
from nkeras_numba_cpu.compile.options import inner, unfused
from nkeras_numba_cpu.emit.blends import LANES, add_pixels, sum_pixels
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.image import spread, table
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import fill
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 8192  # elements that one task makes


@KERNELS.register
def resize_images(
    x: np.ndarray, *, height: int, width: int, method: str, antialias: bool
) -> np.ndarray:
    """Images `(batch, height, width, channels)` of another size; uint8 is rounded once."""
    batch, old_height, old_width, channels = x.shape
    is_bytes = x.dtype == np.uint8
    result = empty((batch, height, width, channels), compute_dtype(x.dtype))
    if not (result.size and x.size):
        fill(result, 0)
        return stored(result, x.dtype)
    dtype = "<f4" if is_bytes else result.dtype.str
    lines = table((old_height, height, *_static(old_height, height, method, antialias)), dtype)
    columns = old_width, width, *_static(old_width, width, method, antialias)
    is_quick = 2 <= channels <= LANES
    elements = (_quads if is_quick else spread)(columns, channels, dtype)
    group = max(1, GRAIN // (width * channels))
    groups = -(-height // group)
    numbers = (old_height, old_width * channels, height, width * channels, groups, group)
    numbers = (*numbers, channels if is_quick else 0)
    work = result.size * (len(elements[0]) + lines[0].shape[1])
    if height <= old_height:
        run = _lower_bytes if is_bytes else _lower
    else:
        run = _higher_bytes if is_bytes else _higher
    arrays = operand(x).reshape(-1), result.reshape(-1)
    run(batch * groups, work, *arrays, *lines, *elements, numbers)
    return stored(result, x.dtype)


@lru_cache(maxsize=256)
def _quads(key: tuple, channels: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """By term and new pixel: where its pixel begins, and its weight; more than four, by fours."""
    cells, weights = rows(*key)
    terms = weights.shape[1]
    more = ((0, -terms % LANES if terms > LANES else 0), (0, 0))
    tables = (cells.T * channels, np.int32), (weights.T, np.dtype(dtype))
    starts, factors = (np.ascontiguousarray(np.pad(one, more), kind) for one, kind in tables)
    return starts, factors


def _static(before: int, size: int, method: str, antialias: bool) -> tuple:
    """The rest of what a table is made by."""
    return method, antialias, size / before, 0.0, False


@tasks
def _lower(task, x, y, cells, weights, places, factors, numbers):
    _made_lower(task, x, y, cells, weights, places, factors, numbers, _copy)


@tasks
def _lower_bytes(task, x, y, cells, weights, places, factors, numbers):
    _made_lower(task, x, y, cells, weights, places, factors, numbers, _round)


@tasks
def _higher(task, x, y, cells, weights, places, factors, numbers):
    _made_higher(task, x, y, cells, weights, places, factors, numbers, _copy)


@tasks
def _higher_bytes(task, x, y, cells, weights, places, factors, numbers):
    _made_higher(task, x, y, cells, weights, places, factors, numbers, _round)


@inner
def _made_lower(task, x, y, cells, weights, places, factors, numbers, keep):
    before, inner_before, height, inner, groups, group, quick = numbers
    image = task // groups
    first = (task - image * groups) * group
    own = part(x, image * before * inner_before, before * inner_before)
    line, wide = (
        allocate(weights.dtype, inner_before + LANES),
        allocate(weights.dtype, inner + LANES),
    )
    for i in range(first, min(first + group, height)):
        _sum_lines(own, cells[i], weights[i], 0, part(line, 0, inner_before))
        _spread_out(line, places, factors, part(wide, 0, inner), quick)
        keep(wide, part(y, (image * height + i) * inner, inner))
    release(wide)
    release(line)


@inner
def _made_higher(task, x, y, cells, weights, places, factors, numbers, keep):
    before, inner_before, height, inner, groups, group, quick = numbers
    image = task // groups
    first = (task - image * groups) * group
    last = min(first + group, height)
    own = part(x, image * before * inner_before, before * inner_before)
    lowest, highest = cells[first, 0], cells[first, 0]
    for i in range(first, last):
        for t in range(cells.shape[1]):
            lowest, highest = min(lowest, cells[i, t]), max(highest, cells[i, t])
    line = allocate(weights.dtype, inner_before + LANES)
    kept = allocate(weights.dtype, (highest - lowest + 1) * inner + LANES)
    for k in range(highest - lowest + 1):
        source = part(own, (lowest + k) * inner_before, inner_before)
        for j in range(inner_before):
            line[j] = source[j]
        _spread_out(line, places, factors, part(kept, k * inner, inner), quick)
    wide = allocate(weights.dtype, inner + LANES)
    for i in range(first, last):
        _sum_lines(kept, cells[i], weights[i], lowest, part(wide, 0, inner))
        keep(wide, part(y, (image * height + i) * inner, inner))
    release(wide)
    release(kept)
    release(line)


@unfused
def _sum_lines(own, cells, weights, lowest, line):
    """Weighted lines of an image, added up."""
    kind, size = line.dtype.type, line.size
    weight, source = weights[0], part(own, (cells[0] - lowest) * size, size)
    for j in range(size):
        line[j] = weight * kind(source[j])
    for t in range(1, cells.size):
        weight = weights[t]
        if weight != 0:
            source = part(own, (cells[t] - lowest) * size, size)
            for j in range(size):
                line[j] += weight * kind(source[j])


@unfused
def _spread_out(line, places, factors, wide, quick):
    """A line of another width; with `quick` channels, a pixel at once, and more than is meant."""
    terms = len(places)
    if quick > 0:
        pixels = wide.size // quick
        if terms == 1:
            for j in range(pixels):
                sum_pixels(wide, j * quick, line, places, factors, j, pixels, 1)
        elif terms == 2:
            for j in range(pixels):
                sum_pixels(wide, j * quick, line, places, factors, j, pixels, 2)
        elif terms == 3:
            for j in range(pixels):
                sum_pixels(wide, j * quick, line, places, factors, j, pixels, 3)
        else:
            for j in range(pixels):
                sum_pixels(wide, j * quick, line, places, factors, j, pixels, 4)
                for t in range(4, terms, 4):
                    at = j + t * pixels
                    add_pixels(wide, j * quick, line, places, factors, at, pixels, 4)
        return
    zero = wide.dtype.type(0)
    place, factor = places[0], factors[0]
    for j in range(wide.size):
        wide[j] = factor[j] * line[np.uint64(place[j])]
    for t in range(1, terms):
        place, factor = places[t], factors[t]
        for j in range(wide.size):
            product = factor[j] * line[np.uint64(place[j])]
            wide[j] += product if factor[j] != 0 else zero


@inner
def _copy(source, target):
    for j in range(target.size):
        target[j] = source[j]


@unfused
def _round(source, target):
    """The nearest whole numbers that a byte has, halves to even ones."""
    for j in range(target.size):
        value = min(max(np.rint(source[j]), np.float32(0)), np.float32(255))
        target[j] = np.uint8(np.int32(value))
