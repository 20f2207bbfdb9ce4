"""Memory of results: of the plan that is being made, or of one's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras_numba_cpu.memory.buffers import SMALLEST, borrow
from nkeras_numba_cpu.memory.capture import current


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
