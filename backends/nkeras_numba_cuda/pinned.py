"""Copies from the host that it need not wait for, through buffers that the device can read."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import Any

import numpy as np

from nkeras_numba_cuda.memory import Array, array_module, kept_on_device

MOST = 8
"""Buffers of one size: a host that is so many copies ahead waits for the oldest."""


class _Buffer:
    """Memory of the host, and when the device has read it."""

    def __init__(self, size: int) -> None:
        cuda = array_module().cuda
        self._memory = cuda.alloc_pinned_memory(size)
        self.bytes = np.frombuffer(self._memory, np.uint8, size)
        self.pointer: int = self._memory.ptr
        self.read: Any = cuda.Event(disable_timing=True)


class _Buffers:
    """Those of a device and stream; the one that was used the longest ago comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_size: dict[int, deque[_Buffer]] = defaultdict(deque)

    def copy(self, target: Array, value: Any) -> None:
        size = target.nbytes
        with self._lock:
            buffers = self._by_size[size]
            if len(buffers) < MOST and not (buffers and buffers[0].read.done):
                buffers.appendleft(_Buffer(size))
            buffer = buffers[0]
            buffer.read.synchronize()
            buffer.bytes.view(target.dtype).reshape(target.shape)[...] = value
            target.data.copy_from_host_async(buffer.pointer, size)
            buffer.read.record()
            buffers.rotate(-1)


@kept_on_device
def _buffers() -> _Buffers:
    return _Buffers()


def upload(target: Array, value: Any) -> None:
    """Write an array of the host, or a number, into a contiguous array of the device.

    Args:
        target: the array on the device.
        value: what can be broadcast to its shape and cast to its dtype.
    """
    if target.nbytes:
        _buffers().copy(target, value)
