"""Numbers of arrays of several dtypes, by type: half types widened, others as they are.

Kernels that are compiled for each dtype of `STORED` see bfloat16 as uint16. Results are rounded to
the nearest, ties to even, as NumPy and ml_dtypes do it.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, intrinsic, types
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.vectors import load_4, store_4

STORED = ("float32", "float16", "uint16")
"""The dtypes of arrays that such kernels take, as Numba calls them."""

widened: Any
"""`widened(x)`: a number of an array to compute with; half types become float32."""
rounded: Any
"""`rounded(array, x)`: a number as the array holds it."""


def as_stored(array: Any) -> Any:
    """The array as these kernels see it: bfloat16 as integers."""
    return array.view(np.uint16) if array.dtype == ml_dtypes.bfloat16 else array


def _widen_by_type(x: Any) -> Any:
    if x.dtype == np.uint16:
        return x.view(ml_dtypes.bfloat16).astype(np.float32)
    return np.float32(x) if x.dtype == np.float16 else x


def _round_by_type(array: Any, x: Any) -> Any:
    if array.dtype == np.uint16:
        return np.float32(x).astype(ml_dtypes.bfloat16).view(np.uint16)
    return array.dtype.type(x)


if SIMULATOR:
    widened, rounded = _widen_by_type, _round_by_type
else:
    from llvmlite import ir

    from nkeras_numba_cuda.device.addresses import FLOAT32, INT16, INT32

    @intrinsic
    def widened(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if x == types.uint16:
                bits = builder.shl(builder.zext(arguments[0], INT32), INT32(16))
                return builder.bitcast(bits, FLOAT32)
            if x == types.float16:
                return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), FLOAT32)
            return arguments[0]

        return (types.float32 if x in (types.uint16, types.float16) else x)(x), generate

    @intrinsic
    def rounded(typing_context: Any, array: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = arguments[1]
            if array.dtype == types.float16:
                return builder.bitcast(builder.fptrunc(number, ir.HalfType()), INT16)
            if array.dtype != types.uint16:
                return number
            bits = builder.bitcast(number, INT32)
            upper = builder.lshr(bits, INT32(16))
            up = builder.add(builder.and_(upper, INT32(1)), INT32(0x7FFF))
            nearest = builder.lshr(builder.add(bits, up), INT32(16))
            is_nan = builder.fcmp_unordered("uno", number, number)
            chosen = builder.select(is_nan, builder.or_(upper, INT32(0x40)), nearest)
            return builder.trunc(chosen, INT16)

        halves = types.uint16, types.float16
        given = types.float32 if array.dtype in halves else array.dtype
        return array.dtype(array, given), generate


@inlined
def load_widened(array, index):
    """Four neighbours to compute with; the index is a multiple of four."""
    a, b, c, d = load_4(array, index)
    return widened(a), widened(b), widened(c), widened(d)


@inlined
def store_rounded(array, index, values):
    """Four neighbours as the array holds them."""
    a, b, c, d = values
    four = rounded(array, a), rounded(array, b), rounded(array, c), rounded(array, d)
    store_4(array, index, four)


__all__ = ["STORED", "as_stored", "load_widened", "rounded", "store_rounded", "widened"]
