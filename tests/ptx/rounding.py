"""Exact products and sums, rounded as an instruction asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import vectorize
from numba.extending import intrinsic

from tests.ptx.kinds import UNSIGNED

Array = npt.NDArray[Any]
MODES = ("rn", "rz", "rm", "rp")


@intrinsic
def _fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return a(a, a, a), generate


def _fused(a: Any, b: Any, c: Any) -> Any:
    return _fma(a, b, c)


# NumPy has no fused multiply-add, whose one rounding the device library's functions rely on.
fma: np.ufunc = vectorize(
    ["float32(float32, float32, float32)", "float64(float64, float64, float64)"], cache=True
)(_fused).ufunc


def rounded(value: Array, error: Array | float, dtype: np.dtype[Any], mode: str) -> Array:
    """`value + error` in a shorter type; the error is below half a unit of `value`'s last place.

    Args:
        value: float64.
        error: what the exact result has more.
        dtype: a float type.
        mode: `rn` to nearest, `rz` to zero, `rm` down, `rp` up.
    """
    nearest = value.astype(dtype)
    if mode == "rn":
        return nearest
    back = nearest.astype(np.float64)
    difference = np.where(back == value, -np.asarray(error), back - value)
    too_high, too_low = difference > 0, difference < 0
    if mode == "rm":
        return np.where(too_high, _below(nearest), nearest)
    if mode == "rp":
        return np.where(too_low, -_below(-nearest), nearest)
    inside = np.where(back > 0, too_high, too_low) & (back != 0)
    return np.where(inside, _toward_zero(nearest), nearest)


def _toward_zero(x: Array) -> Array:
    bits = x.view(UNSIGNED[x.dtype.itemsize])
    return (bits - bits.dtype.type(1)).view(x.dtype)


def _below(x: Array) -> Array:
    """The next smaller number."""
    bits = x.view(UNSIGNED[x.dtype.itemsize])
    one = bits.dtype.type(1)
    sign = one << bits.dtype.type(8 * x.dtype.itemsize - 1)
    away = np.where(bits & sign != 0, bits + one, bits - one)
    return np.where(x.astype(np.float64) == 0, sign | one, away).astype(bits.dtype).view(x.dtype)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _of_sum(a: Array, b: Array) -> tuple[Array, Array]:
    return _two_sum(a, b)


def _of_difference(a: Array, b: Array) -> tuple[Array, Array]:
    return _two_sum(a, -b)


def _of_product(a: Array, b: Array) -> tuple[Array, Array | float]:
    return a * b, 0.0


def _of_fma(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    return _two_sum(a * b, c)


def _of_quotient(a: Array, b: Array) -> tuple[Array, Array]:
    quotient = a / b
    rest = fma(-quotient, b, a)
    return quotient, np.where(b < 0, -rest, rest)


def _of_root(a: Array) -> tuple[Array, Array]:
    root = np.sqrt(a)
    return root, fma(-root, root, a)


_EXACT: dict[str, Callable[..., tuple[Array, Array | float]]] = {
    "add": _of_sum,
    "sub": _of_difference,
    "mul": _of_product,
    "fma": _of_fma,
    "div": _of_quotient,
    "rcp": lambda a: _of_quotient(np.ones_like(a), a),
    "sqrt": _of_root,
}


def directed(name: str, mode: str) -> Callable[..., Array]:
    """An operation of float32 that rounds to zero, down or up."""
    exact = _EXACT[name]

    def compute(*inputs: Array) -> Array:
        value, error = exact(*(one.astype(np.float64) for one in inputs))
        finite = np.isfinite(value)
        error = np.where(finite, np.nan_to_num(error), 0.0)
        return rounded(value, error, np.dtype(np.float32), mode)

    return compute


def flushed(x: Array) -> Array:
    """Subnormal float32 as zeros of the same sign; other types as they are."""
    if x.dtype != np.float32:
        return x
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), x), x)


def flushing(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function on and with flushed numbers."""
    return lambda *inputs: flushed(function(*(flushed(one) for one in inputs)))
