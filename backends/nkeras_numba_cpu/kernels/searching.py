"""Places of values in a sorted line, by halving what is left of it for many values at once."""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.views import on_stack, part
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 4096  # values that one task looks up
TOGETHER = 64  # values whose places are looked for together: LLVM makes vectors of them


@KERNELS.register
def searchsorted(line: np.ndarray, values: np.ndarray, *, right: bool) -> np.ndarray:
    """How many elements of an ascending line are less than each value, or not larger."""
    result = empty(values.shape, np.int32)
    if values.size:
        flat = operand(values).reshape(-1)
        count, work = -(-flat.size // GRAIN), flat.size * (2 + line.size.bit_length())
        _look_up(count, work, operand(line), flat, result.reshape(-1), right)
    return result


@tasks
def _look_up(task, line, values, places, right):
    first = task * GRAIN
    last = min(first + GRAIN, values.size)
    behind = line.size  # where NaN belongs
    if not right:
        while behind > 0 and line[behind - 1] != line[behind - 1]:
            behind -= 1
    # On the stack, where LLVM sees that nothing of it is an element of the line.
    skipped, sought = on_stack(np.uint64, TOGETHER), on_stack(values.dtype, TOGETHER)
    for start in range(first, last, TOGETHER):
        size = min(TOGETHER, last - start)
        for j in range(TOGETHER):
            skipped[j] = 0
            sought[j] = values[start + min(j, size - 1)]
        left = line.size
        while left > 0:
            half = np.uint64((left + 1) // 2)
            _skip(line, sought, skipped, half, right)
            left -= np.int64(half)
        found = part(places, start, size)
        for j in range(size):
            found[j] = skipped[j] if sought[j] == sought[j] else behind


@inner
def _skip(line, sought, skipped, half, right):
    """Skip the next `half` elements where the last of them stands in front of what is sought."""
    if right:
        for j in range(TOGETHER):
            end = skipped[j] + half
            skipped[j] = end if line[end - np.uint64(1)] <= sought[j] else skipped[j]
    else:
        for j in range(TOGETHER):
            end = skipped[j] + half
            skipped[j] = end if line[end - np.uint64(1)] < sought[j] else skipped[j]
