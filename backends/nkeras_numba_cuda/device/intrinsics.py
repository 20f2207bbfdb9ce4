"""Device functions that Numba lacks. All code that emits LLVM IR for the GPU stands in this folder.

`udiv(a, b)` and `umod(a, b)` are `a // b` and `a % b` of integers that are not negative: Python's
rounding towards minus infinity would cost about five times the instructions.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, intrinsic, types

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


if SIMULATOR:
    udiv, umod = operator.floordiv, operator.mod
    square_root = np.sqrt  # NaN below zero, where `math.sqrt` raises
else:
    udiv, umod = _unsigned("udiv"), _unsigned("urem")
    square_root = math.sqrt

__all__ = ["square_root", "udiv", "umod"]
