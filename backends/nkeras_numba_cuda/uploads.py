"""Copies to the device beside what is computed: a stream of their own, and two pinned buffers.

The arrays of a batch are put behind each other in pinned memory, which the device reads while the
host goes on, and arrive as one block by one copy. Two buffers take turns: before one is written
again, the copy from it must have ended, which is two batches ago.

Who waits for whom, without the host: the copy waits for what was computed before it began, for the
block may have been memory of that; what is computed with a batch waits for its copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras_numba_cuda.memory import Array, array_module, empty

_ALIGNMENT = 256
_BUFFERS = 2


class _Buffer:
    """Pinned memory that grows, and the end of the last copy from it."""

    def __init__(self) -> None:
        self._memory: Any = None
        self._size = 0
        self.copied: Any = None

    def room(self, size: int) -> np.ndarray:
        """So many bytes, when the last copy has ended."""
        if self.copied is not None:
            self.copied.synchronize()
        if size > self._size:
            self._memory, self._size = array_module().cuda.alloc_pinned_memory(size), size
        return np.frombuffer(self._memory, np.uint8, size)


class Uploads:
    """The copies of one epoch, on the current device."""

    def __init__(self) -> None:
        self._stream = array_module().cuda.Stream(non_blocking=True)
        self._buffers = [_Buffer() for _ in range(_BUFFERS)]
        self._turn = 0

    def begin(
        self, arrays: Sequence[np.ndarray], dtypes: Sequence[str]
    ) -> tuple[list[Array], Callable[[], None]]:
        """Begin to copy the arrays of a batch.

        Args:
            arrays: on the host.
            dtypes: what they become.

        Returns:
            Arrays of the device, and a function to be called before they are used.
        """
        kinds = [np.dtype(name) for name in dtypes]
        starts, size = [], 0
        for array, kind in zip(arrays, kinds, strict=True):
            starts.append(size)
            size += -(-array.size * kind.itemsize // _ALIGNMENT) * _ALIGNMENT
        if not size:
            return [empty(a.shape, k) for a, k in zip(arrays, kinds, strict=True)], _nothing
        cuda = array_module().cuda
        buffer = self._buffers[self._turn]
        self._turn = (self._turn + 1) % _BUFFERS
        room = buffer.room(size)
        for array, kind, start in zip(arrays, kinds, starts, strict=True):
            np.copyto(_part(room, array.shape, kind, start), array, casting="unsafe")
        block = empty((size,), np.uint8)
        free = cuda.Event(disable_timing=True)
        free.record(cuda.get_current_stream())
        self._stream.wait_event(free)
        block.set(room, stream=self._stream)
        copied = buffer.copied = cuda.Event(disable_timing=True)
        copied.record(self._stream)

        def wait() -> None:
            cuda.get_current_stream().wait_event(copied)

        parts = zip(arrays, kinds, starts, strict=True)
        return [_part(block, array.shape, kind, start) for array, kind, start in parts], wait


def _part(block: Any, shape: tuple[int, ...], kind: np.dtype, start: int) -> Any:
    """An array in a block of bytes, on the host or the device."""
    return block[start : start + math.prod(shape) * kind.itemsize].view(kind).reshape(shape)


def _nothing() -> None:
    """There is nothing to wait for."""
