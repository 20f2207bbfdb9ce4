"""What plans do with arrays: those of the backend, and places in memory of the plan's."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras_numba_cuda import memory, recording
from nkeras_numba_cuda.pinned import upload
from nkeras_numba_cuda.replay.places import Computes, Place, array_at
from nkeras_numba_cuda.replay.strides import bounds


def current(array: Any) -> Any:
    """The array at a place, with its values of now.

    Raises:
        Computes: a plan is being made, in which there are none.
    """
    if isinstance(array, Place):
        if recording.current.queue is not None:
            raise Computes("values")
        if array.before is not None:
            array.before()
    return array_at(array)


def to_numpy(array: Any) -> np.ndarray:
    """A copy on the host."""
    return memory.to_numpy(current(array))


def copy(array: Any) -> Any:
    """A new array with the same values."""
    return current(array).copy()


def copy_to(target: Any, source: Any) -> None:
    """Write the values of an array into another."""
    if target.size:
        array_at(target)[...] = current(source)


def write(target: Any, value: Any) -> None:
    """Write a NumPy array, or a number, into an array."""
    if isinstance(value, np.ndarray):
        upload(array_at(target), value)
    elif target.size:
        array_at(target).fill(value)


def overlap(array: Any, other: Any) -> bool:
    """Whether two arrays may have memory in common."""
    (low, high), (first, last) = bounds(array), bounds(other)
    return low < last and first < high
