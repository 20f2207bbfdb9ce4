"""What every kernel here shares: the array namespace of its inputs and the rule for half types.

The kernels of this package use only functions that NumPy and CuPy both have, so that they also
serve as the reference implementation on device arrays.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # numpy.ndarray, or the ndarray of cupy or of its stand-in
Kernel: TypeAlias = Callable[..., Any]

HALF_TYPES = ("float16", "bfloat16")


def namespace(x: Array) -> Any:
    """The module whose functions work on ``x``: numpy, cupy, or what stands in for cupy."""
    if isinstance(x, np.ndarray):
        return np
    name = type(x).__module__  # an array exists, so it has been imported
    module = sys.modules["cupy" if name.startswith("cupy.") else name]
    if not hasattr(module, "asnumpy"):
        raise TypeError(f"a kernel takes numpy or cupy arrays, not {type(x).__name__}")
    return module


def joined(arrays: Sequence[Array], axis: int) -> Array:
    """Arrays of one dtype behind each other; on a device part by part.

    CuPy's function copies their addresses from the host first.
    """
    first = arrays[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(arrays, axis)
    axis %= first.ndim
    shape = list(first.shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    y = namespace(first).empty(tuple(shape), first.dtype)
    start = 0
    for array in arrays:
        end = start + array.shape[axis]
        y[(slice(None),) * axis + (slice(start, end),)] = array
        start = end
    return y


def stacked(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays of one shape and dtype along a new axis."""
    axis %= arrays[0].ndim + 1
    at = (slice(None),) * axis + (None,)
    return joined([array[at] for array in arrays], axis)


def _is_half(dtype: np.dtype) -> bool:
    """Whether it is a half type; NumPy works out names anew each time, so sizes come first."""
    return dtype.itemsize == 2 and dtype.name in HALF_TYPES


def in_float32(kernel: Kernel) -> Kernel:
    """Let ``kernel`` see half types as float32, and round its floating results once.

    It also makes NaN and infinity silent, for they are values here and no accidents, and turns the
    NumPy scalars that full reductions and arithmetic on rank 0 give back into arrays.
    """

    @functools.wraps(kernel)
    def wrapper(*arrays: Array, **static: Any) -> Any:
        half = next((x.dtype for x in arrays if x is not None and _is_half(x.dtype)), None)

        def widen(x: Array) -> Array:
            return x if x is None or x.dtype != half else x.astype(np.float32)

        def narrow(y: Array) -> Array:
            if isinstance(y, np.generic):
                y = np.asarray(y)
            return y if half is None or y is None or y.dtype != np.float32 else y.astype(half)

        with np.errstate(all="ignore"):
            if half is not None:
                arrays = tuple(widen(x) for x in arrays)
            result = kernel(*arrays, **static)
            return tuple(map(narrow, result)) if isinstance(result, tuple) else narrow(result)

    return wrapper
