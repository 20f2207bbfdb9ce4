"""Numbers that change from replay to replay, in device memory: learning rates, random keys.

The host writes them into memory of its own, as often as it computes them. Before the work of a plan
all of them go to the device, in one copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras_numba_cuda.pinned import upload
from nkeras_numba_cuda.replay import arena
from nkeras_numba_cuda.replay.places import Place, place

STEP = 16
"""Bytes: each number begins at a multiple of it, as the widest access of a kernel wants it."""


class Numbers:
    """The numbers of a plan.

    Args:
        size: bytes that all of them take; None in a rehearsal, which tells it.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = 0
        self._there = arena.buffer(size) if size else None
        self._here = np.zeros(size or 0, np.uint8)
        self._is_new = False

    def take(self, shape: tuple[int, ...], dtype: Any) -> tuple[Place, Callable[[Any], None]]:
        """The place of a number, or several, and what is called with new ones."""
        dtype = np.dtype(dtype)
        start, size = self.size, math.prod(shape) * dtype.itemsize
        self.size += -(-size // STEP) * STEP
        if self._there is None:
            return place(arena.NOWHERE + start, shape, dtype, None), _forget
        here = self._here[start : start + size].view(dtype).reshape(shape)

        def store(value: Any) -> None:
            here[...] = value
            self._is_new = True

        address = self._there.data.ptr + start
        return place(address, shape, dtype, self._there, self.send), store

    def send(self) -> None:
        """Bring them to the device, where some are new."""
        if self._is_new:
            self._is_new = False
            upload(self._there, self._here)


def _forget(value: Any) -> None:
    """In a rehearsal."""
