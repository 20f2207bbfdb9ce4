"""Elementwise kernels: the scalar function applied to whole arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from nkeras.backend import derive
from nkeras.backend.scalar import Scalar
from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS

_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array) -> Array:
    """NumPy has no error function."""
    return np.asarray(_erf(x), dtype=x.dtype)


TABLE: dict[str, Any] = {
    name: erf if name == "erf" else getattr(np, name) for name in derive.FUNCTIONS
}


@cache
def elementwise(scalar: Scalar) -> Callable[..., np.ndarray]:
    """A kernel that maps `scalar` over broadcast arrays of one dtype."""
    first = next((i for i, p in enumerate(scalar.parameters) if p not in scalar.conditions), 0)
    function = scalar.bind(TABLE, None)

    @in_float32
    def kernel(*arrays: Array) -> Array:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        dtype = np.bool_ if scalar.result == "bool" else arrays[first].dtype
        xp = namespace(arrays[first])
        return xp.broadcast_to(xp.asarray(function(*arrays), dtype), shape)

    return kernel


@KERNELS.register
def nextafter(x1: Array, x2: Array) -> Array:
    xp = namespace(x1)
    return xp.asarray(xp.nextafter(x1, x2), x1.dtype)
