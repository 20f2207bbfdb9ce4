"""Device functions that Numba lacks. All code that emits LLVM IR for the GPU stands in this folder.
numba-cuda-mlir takes none of it: what its kernels call has a form in Python besides.

`udiv(a, b)` and `umod(a, b)` are `a // b` and `a % b` of integers that are not negative: Python's
rounding towards minus infinity would cost about five times the instructions. `udiv_32` and
`umod_32` are for numbers below 2**31: a fraction of a division of 64 bits.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, TARGET, intrinsic, types
from nkeras_numba_cuda.device.functions import device_function

udiv: Any
umod: Any
udiv_32: Any
umod_32: Any
square_root: Any
exponential: Any
logarithm: Any
hyperbolic_tangent: Any


def _unsigned(instruction: str, bits: int) -> Any:
    """A function of two int64 that is one instruction of LLVM for integers of so many bits."""

    @intrinsic
    def divide(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if bits == 64:
                return getattr(builder, instruction)(*arguments)
            narrow = [builder.trunc(argument, ir.IntType(bits)) for argument in arguments]
            return builder.zext(getattr(builder, instruction)(*narrow), ir.IntType(64))

        return types.int64(types.int64, types.int64), generate

    return divide


def _divide_unsigned(a: Any, b: Any) -> Any:
    return types.int64(types.uint64(a) // types.uint64(b))


def _unsigned_rest(a: Any, b: Any) -> Any:
    return types.int64(types.uint64(a) % types.uint64(b))


if SIMULATOR:
    udiv = udiv_32 = operator.floordiv
    umod = umod_32 = operator.mod
    square_root = np.sqrt  # NaN below zero, where `math.sqrt` raises
    exponential, logarithm, hyperbolic_tangent = np.exp, np.log, np.tanh  # and inf, likewise
elif TARGET == "numba-cuda-mlir":  # it takes no LLVM IR
    udiv = udiv_32 = device_function(_divide_unsigned)
    umod = umod_32 = device_function(_unsigned_rest)
    square_root = math.sqrt
    exponential, logarithm, hyperbolic_tangent = math.exp, math.log, math.tanh
else:
    from llvmlite import ir

    udiv, umod = _unsigned("udiv", 64), _unsigned("urem", 64)
    udiv_32, umod_32 = _unsigned("udiv", 32), _unsigned("urem", 32)
    square_root = math.sqrt
    exponential, logarithm, hyperbolic_tangent = math.exp, math.log, math.tanh

__all__ = [
    "exponential",
    "hyperbolic_tangent",
    "logarithm",
    "square_root",
    "udiv",
    "udiv_32",
    "umod",
    "umod_32",
]
