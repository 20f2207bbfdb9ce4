"""Where arrays lie, by their shapes and strides alone."""

from __future__ import annotations

from typing import Any

import numpy as np


def bounds(array: Any) -> tuple[int, int]:
    """The first byte of an array or place, and the one behind its last."""
    low = high = array.data.ptr
    if not array.size:
        return low, low
    for size, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (size - 1) * stride
        else:
            high += (size - 1) * stride
    return low, high + array.itemsize


def joined(seen: np.ndarray, *shape: Any) -> np.ndarray | None:
    """A view of another shape, where strides allow it."""
    wanted = np.broadcast_to(np.int8(0), seen.shape).reshape(*shape).shape  # what -1 stands for
    axes = [(size, step) for size, step in zip(seen.shape, seen.strides, strict=True) if size != 1]
    strides: list[int] = []
    for size in reversed(wanted):
        if size == 1:
            strides.insert(0, seen.itemsize)
            continue
        length, step = axes.pop()
        while length % size and axes and axes[-1][1] == length * step:
            length *= axes.pop()[0]
        if length % size:
            return None
        strides.insert(0, step)
        if length > size:
            axes.append((length // size, step * size))
    return np.lib.stride_tricks.as_strided(seen, wanted, strides)
