"""Memory of large results, used again: fresh pages cost more than most kernels that fill them.

The operating system hands out zeroed pages, about 0.1 ms for a megabyte. An array of this memory
keeps a loan as its base; when the last array on it is gone, the loan gives the memory back to a
list, from which the next result of the same size takes it. What lies there unused is limited.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras_numba_cpu.arena import aligned

SMALLEST = 1 << 18  # elements; malloc itself keeps smaller ones
LIMIT = 256 << 20  # bytes that may lie unused

_GRAIN = 1 << 16  # sizes that differ by less share their buffers


class _Buffer:
    """Memory, and how NumPy is told of it."""

    __slots__ = ("interface", "memory", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.memory = aligned(size)
        self.interface = self.memory.__array_interface__


class _Loan:
    """The base of arrays on one buffer."""

    __slots__ = ("__array_interface__", "buffer")

    def __init__(self, buffer: _Buffer) -> None:
        self.buffer = buffer
        self.__array_interface__ = buffer.interface

    def __del__(self) -> None:
        _give_back(self.buffer)


# The one that was used last comes last: its lines may still be in the cache. Any thread may come
# in between two lines below, and the collector may run `_give_back` within any other function: so
# there is no lock, and each change of the list is a single call.
_unused: list[_Buffer] = []


def borrow(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised array, whose memory is used again when it is gone."""
    size = -(-math.prod(shape) * np.dtype(dtype).itemsize // _GRAIN) * _GRAIN
    return np.ndarray(shape, dtype, np.asarray(_Loan(_take(size) or _Buffer(size))))


def release() -> None:
    """Free the memory that lies unused."""
    _unused.clear()


def _take(size: int) -> _Buffer | None:
    for one in reversed(_unused):
        if one.size == size:
            try:
                _unused.remove(one)
            except ValueError:  # another thread was faster
                continue
            return one
    return None


def _give_back(buffer: _Buffer, unused: list[_Buffer] = _unused, limit: int = LIMIT) -> None:
    unused.append(buffer)
    # Those that nobody has asked for the longest are freed.
    while sum(one.size for one in unused) > limit:
        del unused[:1]
