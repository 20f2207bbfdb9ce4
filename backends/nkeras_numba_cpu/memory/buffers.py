"""Memory of large results, used again: fresh pages cost more than most kernels that fill them.

The operating system hands out zeroed pages, about 0.1 ms for a megabyte. An array of this memory
keeps a loan as its base; when the last array on it is gone, the loan gives the memory back, and the
next result of the same size takes it. What lies there unused is limited.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from nkeras_numba_cpu.memory.arena import aligned

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


class _Unused:
    """The buffers that no array lies in.

    The lock is never waited for: who does not get it takes fresh memory, or gives its own back to
    the system. So neither `__del__`, which may run within any other function, nor a forked process
    can hang.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_size: dict[int, list[_Buffer]] = {}  # those given back last come last
        self._held = 0

    def take(self, size: int) -> _Buffer | None:
        """A buffer of this size."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            found = self._by_size.get(size)
            if not found:
                return None
            self._held -= size
            return found.pop()  # the one that was used last: it may still be in the cache
        finally:
            self._lock.release()

    def add(self, buffer: _Buffer, limit: int = LIMIT) -> None:
        """Take a buffer back, and free those that nobody has asked for the longest."""
        freed = []  # behind the lock
        if not self._lock.acquire(blocking=False):
            return
        try:
            found = self._by_size.pop(buffer.size, [])
            found.append(buffer)
            self._by_size[buffer.size] = found
            self._held += buffer.size
            while self._held > limit:
                oldest = next(iter(self._by_size))
                if self._by_size[oldest]:
                    freed.append(self._by_size[oldest].pop(0))
                    self._held -= oldest
                else:
                    del self._by_size[oldest]
        finally:
            self._lock.release()

    def clear(self) -> None:
        """Free all of them."""
        if self._lock.acquire(blocking=False):
            freed, self._by_size, self._held = self._by_size, {}, 0
            self._lock.release()
            del freed


class _Loan:
    """The base of arrays on one buffer."""

    __slots__ = ("__array_interface__", "_buffer", "_unused")

    def __init__(self, buffer: _Buffer) -> None:
        self._buffer = buffer
        self._unused = _unused  # modules may be gone before the last array
        self.__array_interface__ = buffer.interface

    def __del__(self) -> None:
        self._unused.add(self._buffer)


_unused = _Unused()
release = _unused.clear


def borrow(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised array, whose memory is used again when it is gone."""
    size = -(-math.prod(shape) * np.dtype(dtype).itemsize // _GRAIN) * _GRAIN
    return np.ndarray(shape, dtype, np.asarray(_Loan(_unused.take(size) or _Buffer(size))))
