"""Arrays: CuPy's on a GPU, NumPy's in the simulator, and how kernels see them."""

from __future__ import annotations

import functools
import math
from typing import Any

import ml_dtypes  # noqa: F401  makes "bfloat16" a dtype name that NumPy knows
import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, cuda, simulated_array

ALIGNMENT = 16
"""Bytes that the widest access of a kernel takes."""

Array = Any  # cupy.ndarray, or numpy.ndarray in the simulator


@functools.cache
def array_module() -> Any:
    """`cupy`, or `numpy` in the simulator: imported late, for kernels compile without CuPy."""
    if SIMULATOR:
        return np
    import cupy

    return cupy


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """A device array with undefined contents."""
    return array_module().empty(shape, np.dtype(dtype))


def asarray(value: np.ndarray, dtype: str) -> Array:
    """A NumPy array on the device; in the simulator it may share memory."""
    return array_module().asarray(np.asarray(value, dtype=np.dtype(dtype)))


def to_numpy(array: Array) -> np.ndarray:
    """A device array as NumPy array; in the simulator it is the array itself."""
    return array if SIMULATOR else array_module().asnumpy(array)


def contiguous(array: Array) -> Array:
    """The array, or a copy of it, with its elements in row-major order."""
    return array if array.flags.c_contiguous else array_module().ascontiguousarray(array)


def is_aligned(array: Array) -> bool:
    """Whether it starts where 128 bits can be read at once; views may start elsewhere."""
    start = array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr
    return start % ALIGNMENT == 0


@functools.lru_cache(maxsize=4096)
def constants(*values: int) -> Array:
    """Integers in device memory: one array argument is cheaper to launch with than many scalars."""
    return array_module().asarray(np.array(values, np.int64))


def view(array: Array) -> Any:
    """The elements of a contiguous array as the one-dimensional array that a kernel gets."""
    if SIMULATOR:
        return simulated_array(array.reshape(-1))
    return _view(array.data.ptr, (math.prod(array.shape),), array.dtype.str)


def shaped(array: Array) -> Any:
    """A contiguous array as a kernel gets it that knows its shape."""
    return (
        simulated_array(array) if SIMULATOR else _view(array.data.ptr, array.shape, array.dtype.str)
    )


@functools.lru_cache(maxsize=4096)
def _view(pointer: int, shape: tuple[int, ...], dtype: str) -> Any:
    """Numba's view of device memory.

    It owns nothing, so it may be kept: it is right whenever the address is used with that shape and
    dtype again. The caller's array keeps the memory until the launch is queued, and the memory pool
    hands it out again in stream order only. `sync=False`: waiting for a stream here would be slow,
    and an error while a graph is captured.
    """
    description = {
        "shape": shape,
        "strides": None,
        "typestr": dtype,
        "data": (pointer, False),
        "version": 3,
    }
    return cuda.from_cuda_array_interface(description, owner=None, sync=False)
