"""The largest elements of rows: only these are sorted.

Elements are ranked: larger ones first, NaN before all numbers, of equal elements the one that
stands first. So the choice is the same however the work is done.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 32768  # elements that one task looks at
PIECE = 64  # elements that are compared with the least of the chosen ones in one go
LEAST = 32  # candidates that are gathered before the best of them are chosen
RUN = 8  # candidates that are sorted by insertion, before runs are merged


@KERNELS.register
def top_k(x: np.ndarray, *, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest elements along the last axis, and where they stand."""
    shape = (*x.shape[:-1], k)
    values, places = empty(shape, operand(x).dtype), empty(shape, np.int32)
    if values.size:
        flat, found = operand(x).reshape(-1), values.reshape(-1)
        length, rows = x.shape[-1], math.prod(x.shape[:-1])
        group = max(1, GRAIN // length)
        numbers = (length, rows, k, group, min(length, max(2 * k, k + LEAST)))
        _top_k(-(-rows // group), 2 * flat.size, flat, found, places.reshape(-1), numbers)
    return stored(values, x.dtype), places


@inner
def _is_larger(a, b):
    return (a > b) | ((a != a) & (b == b))


@inner
def _is_before(a, i, b, j):
    return _is_larger(a, b) | ((i < j) & ~_is_larger(b, a))


@tasks
def _top_k(task, x, values, places, numbers):
    length, rows, k, group, room = numbers
    found, where = allocate(x.dtype, room), allocate(np.int32, room)
    spare, spare_where = allocate(x.dtype, k), allocate(np.int32, k)
    for row in range(task * group, min(task * group + group, rows)):
        line = part(x, row * length, length)
        count = _gathered(line, found, where, k)
        if count > k:
            _choose(found, where, count, k)
        _sort(found, where, spare, spare_where, k)
        for i in range(k):
            values[row * k + i] = found[i]
            places[row * k + i] = where[i]
    release(spare_where)
    release(spare)
    release(where)
    release(found)


@inner
def _gathered(line, found, where, k):
    """Candidates among which the k best are; whenever there is no room, only these are kept."""
    count, least, is_known = 0, line[0], False
    for start in range(0, line.size, PIECE):
        size = min(PIECE, line.size - start)
        if is_known:
            piece, better = part(line, start, size), np.int32(0)
            for j in range(size):
                better += np.int32(0) if piece[j] <= least else np.int32(1)
            if better == 0:
                continue
        for j in range(start, start + size):
            value = line[j]
            if is_known and not _is_larger(value, least):
                continue
            if count == found.size:
                _choose(found, where, count, k)
                count, least, is_known = k, found[k - 1], True
                if not _is_larger(value, least):
                    continue
            found[count], where[count] = value, j
            count += 1
    return count


@inner
def _choose(found, where, count, k):
    """Bring the k best of the first `count` to the front, the last of them to its end."""
    first, last = 0, count - 1
    while first < last:
        middle, j = _median(found, where, first, last), last
        value, place = found[middle], where[middle]
        i = first
        while i <= j:
            while _is_before(found[i], where[i], value, place):
                i += 1
            while _is_before(value, place, found[j], where[j]):
                j -= 1
            if i <= j:
                found[i], found[j] = found[j], found[i]
                where[i], where[j] = where[j], where[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            last = j
        elif k - 1 >= i:
            first = i
        else:
            break


@inner
def _median(found, where, first, last):
    """Of three places: the middle one and two that follow no pattern of the data."""
    size = last - first + 1
    a, b = first + (size * 40503 & 65535) % size, first + size // 2
    c = first + (size * 25173 + 13849 & 65535) % size
    if _is_before(found[b], where[b], found[a], where[a]):
        a, b = b, a
    if _is_before(found[c], where[c], found[b], where[b]):
        b = c
        if _is_before(found[b], where[b], found[a], where[a]):
            b = a
    return b


@inner
def _sort(found, where, spare, spare_where, k):
    """Sort the first k: short runs by insertion, which are merged."""
    for start in range(0, k, RUN):
        for i in range(start + 1, min(start + RUN, k)):
            value, place, j = found[i], where[i], i
            while j > start and _is_before(value, place, found[j - 1], where[j - 1]):
                found[j], where[j] = found[j - 1], where[j - 1]
                j -= 1
            found[j], where[j] = value, place
    width = RUN
    while width < k:
        for start in range(0, k - width, 2 * width):
            middle, end = start + width, min(start + 2 * width, k)
            for i in range(start, middle):
                spare[i], spare_where[i] = found[i], where[i]
            i, j = start, middle
            for to in range(start, end):
                if i == middle:
                    break
                if j < end and _is_before(found[j], where[j], spare[i], spare_where[i]):
                    found[to], where[to] = found[j], where[j]
                    j += 1
                else:
                    found[to], where[to] = spare[i], spare_where[i]
                    i += 1
        width *= 2
