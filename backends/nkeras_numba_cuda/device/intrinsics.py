"""Device functions that Numba lacks. All code that emits LLVM IR for the GPU stands in this folder.
numba-cuda-mlir takes none of it: what its kernels call has a form in Python besides.

`udiv(a, b)` and `umod(a, b)` are `a // b` and `a % b` of integers that are not negative: Python's
rounding towards minus infinity would cost about five times the instructions.
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
square_root: Any


def _unsigned(instruction: str) -> Any:
    """A function of two int64 that is one instruction of LLVM."""

    @intrinsic
    def divide(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return types.int64(types.int64, types.int64), generate

    return divide


def _divide_unsigned(a: Any, b: Any) -> Any:
    return types.int64(types.uint64(a) // types.uint64(b))


def _unsigned_rest(a: Any, b: Any) -> Any:
    return types.int64(types.uint64(a) % types.uint64(b))


if SIMULATOR:
    udiv, umod = operator.floordiv, operator.mod
    square_root = np.sqrt  # NaN below zero, where `math.sqrt` raises
elif TARGET == "numba-cuda-mlir":  # it takes no LLVM IR
    udiv, umod = map(device_function, (_divide_unsigned, _unsigned_rest))
    square_root = math.sqrt
else:
    udiv, umod = _unsigned("udiv"), _unsigned("urem")
    square_root = math.sqrt

__all__ = ["square_root", "udiv", "umod"]
