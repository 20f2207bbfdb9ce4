"""Rows of a matrix: which threads work on one, and by how many elements at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras_numba_cuda.device.warps import WARP
from nkeras_numba_cuda.memory import Array, is_aligned

THREADS = 256
"""Threads of a block of all kernels of rows."""

LONG = 32 * WARP
"""Rows that are longer get a block each, the others a warp."""

WIDTHS = {1: ("float32", "float64"), 4: ("float32",)}
"""Elements of one access, and for which dtypes there are kernels with it."""


def team_for(size: int) -> int:
    """How many threads work on a row: a warp, or the block where it is long."""
    return WARP if size <= LONG else THREADS


def blocks_for(rows: int, team: int) -> int:
    """The blocks for so many rows."""
    return -(-rows // (THREADS // team))


def width_for(size: int, *arrays: Array) -> int:
    """How many elements one access may have: rows of `size` must start at multiples of it."""
    if size % 4 or not all(a.dtype == np.float32 and is_aligned(a) for a in arrays):
        return 1
    return 4


def as_lines(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """How many lines lie before an axis, its size, and how many elements lie behind it."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def by_width(make: Any) -> dict[int, Any]:
    """The kernel that `make(width)` gives for each width."""
    return {width: make(width) for width in WIDTHS}
