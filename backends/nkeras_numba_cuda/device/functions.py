"""The function table of scalar functions (`nkeras.backend.derive.FUNCTIONS`) on this device."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, TARGET, cuda, libdevice

_MATH = {
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "log2": math.log2,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "arctan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "arcsinh": math.asinh,
    "arccosh": math.acosh,
    "arctanh": math.atanh,
    "erf": math.erf,
    "absolute": abs,
    "isnan": math.isnan,
    "isinf": math.isinf,
    "isfinite": math.isfinite,
}
_IN_NUMPY = (*(set(_MATH) - {"erf"}), "floor", "ceil", "trunc", "rint", "signbit")


def device_function(function: Callable[..., Any]) -> Any:
    """A function that kernels may call; in the simulator the function itself."""
    return function if SIMULATOR else cuda.jit(device=True)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """As `device_function`, compiled into each caller: a thread's arrays stay in registers."""
    if SIMULATOR or TARGET != "numba-cuda":
        return device_function(function)
    return cuda.jit(device=True, forceinline=True)(function)


@device_function
def where(condition: Any, a: Any, b: Any) -> Any:
    return a if condition else b


@device_function
def same(x: Any) -> Any:
    return x


@device_function
def is_negative(x: Any) -> Any:
    return x < 0


@functools.cache
def table(dtype: str) -> MappingProxyType[str, Any]:
    """The functions by name, for arguments of a dtype."""
    if SIMULATOR:  # NumPy's functions: those of `math` raise OverflowError, a GPU gives inf
        return MappingProxyType(
            {name: getattr(np, name) for name in _IN_NUMPY} | {"where": where, "erf": _erf}
        )
    return MappingProxyType(_MATH | {"where": where} | _rounding(dtype))


def _rounding(dtype: str) -> dict[str, Any]:
    """Rounding that stays in the dtype: `math.floor` and its like give int64 in Numba."""
    if dtype == "float32":
        sign = libdevice.signbitf
        names = {"floor": "floorf", "ceil": "ceilf", "trunc": "truncf", "rint": "rintf"}
    elif dtype == "float64":
        sign = libdevice.signbitd
        names = {"floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint"}
    else:
        unchanged = dict.fromkeys(("floor", "ceil", "trunc", "rint"), same)
        return unchanged | {"signbit": is_negative}

    @device_function
    def signbit(x: Any) -> Any:
        return sign(x) != 0

    return {name: getattr(libdevice, given) for name, given in names.items()} | {"signbit": signbit}


def _erf(x: Any) -> Any:
    return x.dtype.type(math.erf(x))
