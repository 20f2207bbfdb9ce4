"""Memory of results: of the plan that is being made, or of one's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras_numba_cpu.memory.arena import aligned
from nkeras_numba_cpu.memory.buffers import SMALLEST, borrow
from nkeras_numba_cpu.memory.capture import current


def own(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised array that begins at a cache line, for what is read often, as weights are.

    NumPy's begin 16 bytes behind one, and each vector of them lies on two lines.
    """
    count = math.prod(shape)
    if count >= SMALLEST:
        return borrow(shape, dtype)
    dtype = np.dtype(dtype)
    return np.ndarray(shape, dtype, aligned(max(count, 1) * dtype.itemsize))


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised C-contiguous buffer, for a result or inside one call of a kernel.

    What a kernel keeps from call to call must not come from here: a plan uses the memory again.
    """
    if current.arena is None or current.blocks is None:
        if math.prod(shape) < SMALLEST:
            return np.empty(shape, dtype)
        return borrow(shape, dtype)
    block, array = current.arena.allocate(shape, dtype)
    current.blocks.append(block)
    return array
