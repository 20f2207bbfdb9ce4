"""Numbers of 16 bits, which kernels see as uint16: one bfloat16 or float16 as float32 and back.

Results are rounded to the nearest, ties to even, as NumPy and ml_dtypes do it.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, intrinsic, types
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.tensor_cores import bits_of, float_of

widen_bfloat16: Any
"""`widen_bfloat16(bits)`: a bfloat16 as float32."""
narrow_bfloat16: Any
"""`narrow_bfloat16(x)`: the bits of the nearest bfloat16."""
widen_float16: Any
"""`widen_float16(bits)`: a float16 as float32."""
narrow_float16: Any
"""`narrow_float16(x)`: the bits of the nearest float16."""


@inlined
def _upper_half(bits):
    return float_of(np.uint32(bits) << np.uint32(16))


@inlined
def _rounded_to_upper_half(x):
    bits = bits_of(x)
    if x != x:
        return np.uint16((bits >> np.uint32(16)) | np.uint32(0x40))
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


def _converted(instruction: str, taken: Any, given: Any, between: Any) -> Any:
    """A conversion of LLVM between float32 and 16 bits that Numba takes for an integer."""

    @intrinsic
    def convert(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if instruction == "fpext":
                return builder.fpext(builder.bitcast(arguments[0], between), FLOAT32)
            return builder.bitcast(builder.fptrunc(arguments[0], between), INT16)

        return given(taken), generate

    return convert


def _simulated_widening(dtype: Any) -> Any:
    return lambda bits: np.uint16(bits).view(dtype).astype(np.float32)


def _simulated_narrowing(dtype: Any) -> Any:
    return lambda x: np.float32(x).astype(dtype).view(np.uint16)


if SIMULATOR:
    widen_bfloat16 = _simulated_widening(ml_dtypes.bfloat16)
    narrow_bfloat16 = _simulated_narrowing(ml_dtypes.bfloat16)
    widen_float16 = _simulated_widening(np.float16)
    narrow_float16 = _simulated_narrowing(np.float16)
else:
    from llvmlite import ir

    from nkeras_numba_cuda.device.addresses import FLOAT32, INT16

    widen_bfloat16, narrow_bfloat16 = _upper_half, _rounded_to_upper_half
    widen_float16 = _converted("fpext", types.uint16, types.float32, ir.HalfType())
    narrow_float16 = _converted("fptrunc", types.float32, types.uint16, ir.HalfType())

__all__ = ["narrow_bfloat16", "narrow_float16", "widen_bfloat16", "widen_float16"]
