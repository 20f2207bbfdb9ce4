"""What every kernel here shares: the array namespace of its inputs and the rule for half types.

The kernels of this package use only functions that NumPy and CuPy both have, so that they also
serve as the reference implementation on device arrays.
"""

import functools
import sys
from collections.abc import Callable
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


def in_float32(kernel: Kernel) -> Kernel:
    """Let ``kernel`` see half types as float32, and round its floating results once.

    It also makes NaN and infinity silent, for they are values here and no accidents, and turns the
    NumPy scalars that full reductions and arithmetic on rank 0 give back into arrays.
    """

    @functools.wraps(kernel)
    def wrapper(*arrays: Array, **static: Any) -> Any:
        half = next((x.dtype for x in arrays if x is not None and x.dtype.name in HALF_TYPES), None)

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
