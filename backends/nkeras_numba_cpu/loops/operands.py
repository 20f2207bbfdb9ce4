"""Arrays as compiled loops take and give them: C-contiguous, of a dtype that Numba has."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from nkeras_numba_cpu.loops.casts import converted
from nkeras_numba_cpu.loops.copies import contiguous

HALF_DTYPES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def is_half(dtype: np.dtype) -> bool:
    """Whether `dtype` is float16 or bfloat16, which are only stored: arithmetic is float32."""
    return dtype in HALF_DTYPES


def is_floating(dtype: np.dtype) -> bool:
    """Whether `dtype` is a floating type; bfloat16 is one, although its NumPy kind is `V`."""
    return dtype.kind == "f" or dtype in HALF_DTYPES


def compute_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype arithmetic happens in: float32 for the half types, else `dtype`."""
    return np.dtype(np.float32) if dtype in HALF_DTYPES else dtype


def operand(x: np.ndarray) -> np.ndarray:
    """`x` as a compiled loop takes it: C-contiguous, half types widened to float32."""
    if x.dtype in HALF_DTYPES:
        return converted(x, compute_dtype(x.dtype))
    flags = x.flags
    if not (flags.c_contiguous and flags.aligned):
        return contiguous(x)
    return x if flags.writeable else _writable(x)


class _Borrowed:
    """Memory of another array under an array interface of our own; keeps its owner alive."""

    def __init__(self, owner: np.ndarray) -> None:
        address, _ = owner.__array_interface__["data"]
        self.owner = owner
        self.__array_interface__ = {**owner.__array_interface__, "data": (address, False)}


def _writable(x: np.ndarray) -> np.ndarray:
    """A view of a read-only array that does not say so.

    Read-only is another type for Numba, and so another compilation of the same loop. Kernels do not
    write into their inputs.
    """
    return np.asarray(_Borrowed(x))


def stored(y: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """`y` rounded once to the dtype that the caller stores (no copy when it has it)."""
    if y.dtype == dtype:
        return y
    return converted(y, dtype)
