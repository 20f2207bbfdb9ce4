"""Cells: numbers in device memory that kernels read when they run.

Learning rates and random keys change from step to step. As arguments of a launch they would be
frozen in a CUDA graph; so kernels read them from cells, which a plan writes before its replay.
Where a step runs as it comes, the host has plain numbers: a launch writes them, which is no copy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.launch import kernel
from nkeras_numba_cuda.memory import Array, array_module, empty, kept_on_device
from nkeras_numpy.namespace import HALF_TYPES

SIZE = 3
"""The largest number of numbers in a cell."""


@kernel("float64[::1], float64, float64, float64")
def store_numbers(cell, first, second, third):
    for i in range(cuda.grid(1), cell.size, cuda.gridsize(1)):
        cell[i] = first if i == 0 else (second if i == 1 else third)


@kernel("uint32[::1], uint32, uint32")
def store_key(cell, first, second):
    for i in range(cuda.grid(1), cell.size, cuda.gridsize(1)):
        cell[i] = first if i == 0 else second


def cell(value: Any) -> Array:
    """A cell of float64: the array itself, or one with a number or up to three of them."""
    if isinstance(value, array_module().ndarray):
        return value
    return _numbers(*map(float, value if isinstance(value, tuple) else (value,)))


def key_cell(key: Any) -> Array:
    """A cell of two uint32: the array itself, or one with two integers."""
    if isinstance(key, array_module().ndarray):
        return key
    return _key(*[int(word) & 0xFFFFFFFF for word in key])


@kept_on_device
def _numbers(*numbers: float) -> Array:
    made = empty((len(numbers),), "float64")
    store_numbers.launch(len(numbers), made, *numbers, *(0.0,) * (SIZE - len(numbers)))
    return made


@kept_on_device
def _key(first: int, second: int) -> Array:
    made = empty((2,), "uint32")
    store_key.launch(2, made, np.uint32(first), np.uint32(second))
    return made


def reads_cell(kernel: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A kernel of the reference whose argument `name` may be a cell, and is one to the device.

    It gets arrays of rank 0 in place of numbers, in the dtype that it computes in.
    """

    @wraps(kernel)
    def reading(*arrays: Array, **static: Any) -> Any:
        dtype = next(array.dtype for array in arrays if array is not None)
        read = cell(static[name]).astype("float32" if dtype.name in HALF_TYPES else dtype)
        static[name] = read[0] if read.size == 1 else tuple(read[i] for i in range(read.size))
        return kernel(*arrays, **static)

    return reading
