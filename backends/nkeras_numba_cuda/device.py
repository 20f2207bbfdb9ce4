"""Device functions that Numba lacks. All code that emits LLVM IR for the GPU stands here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, intrinsic, types

if SIMULATOR:

    def udiv(a: Any, b: Any) -> Any:
        """`a // b` of non-negative integers."""
        return a // b

    def umod(a: Any, b: Any) -> Any:
        """`a % b` of non-negative integers."""
        return a % b

    square_root = np.sqrt  # NaN below zero, in the dtype of the argument
else:
    square_root = math.sqrt

    # Python's `//` and `%` round towards minus infinity, which costs about five times the
    # instructions of an unsigned division; indices are never negative.

    @intrinsic
    def udiv(typing_context: Any, a: Any, b: Any) -> Any:
        """`a // b` of non-negative integers."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.udiv(*arguments)

        return types.int64(types.int64, types.int64), generate

    @intrinsic
    def umod(typing_context: Any, a: Any, b: Any) -> Any:
        """`a % b` of non-negative integers."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.urem(*arguments)

        return types.int64(types.int64, types.int64), generate


__all__ = ["square_root", "udiv", "umod"]
