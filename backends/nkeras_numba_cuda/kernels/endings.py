"""What follows a product: bias, addend and activation, rounding, and writing."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.halves import (
    narrow_bfloat16,
    narrow_float16,
    widen_bfloat16,
    widen_float16,
)

ACTIVATIONS = ("linear", "relu", "relu6")
"""A kernel gets the place of the name in this list."""

_WIDEN = {"bfloat16": widen_bfloat16, "float16": widen_float16}
_NARROW = {"bfloat16": narrow_bfloat16, "float16": narrow_float16}


@inlined
def _same(x):
    return x


def widening(dtype: str) -> Any:
    """The function that makes a number of a kernel's array one to compute with."""
    return _WIDEN.get(dtype, _same)


def narrowing(dtype: str) -> Any:
    """The function that makes a result a number to store."""
    return _NARROW.get(dtype, _same)


@functools.cache
def completing(dtype: str) -> Any:
    """The function that makes a number to store of a sum.

    It is called `(total, bias, addend, column, at, has_bias, has_addend, activation)`, and `at` is
    the place in the result.

    Args:
        dtype: what arrays hold, a name.
    """
    widen, narrow = widening(dtype), narrowing(dtype)
    computed = np.dtype("float32" if dtype in _WIDEN else dtype).type
    zero, six = computed(0), computed(6)

    @inlined
    def complete(total, bias, addend, column, at, has_bias, has_addend, activation):
        if has_bias != 0:
            total += widen(bias[column])
        if has_addend != 0:
            total += widen(addend[at])
        if activation > 0 and total < zero:  # NaN stays
            total = zero
        if activation > 1 and total > six:
            total = six
        return narrow(total)

    return complete
