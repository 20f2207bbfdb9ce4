"""Scalar functions of float32 that are written down again for vectors, by their names.

The scalar function stays the specification; what stands here takes less than half of its time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types

from nkeras_numba_cpu.emit.values import Value, call, where
from nkeras_numba_cpu.emit.vector_math import polynomial, signed
from nkeras_numba_cpu.emit.wide_math import exp2, log, widened

_WORD = ir.IntType(32)

# erfinv(x) / x by w = -log(1 - x**2): in w / 3 - 1 below w = 6, above in the root of w, between
# the roots of 6 and 17, brought to -1 to 1. Chebyshev interpolations.
_CENTRE = (
    1.6235420103172942,
    0.7248912485684559,
    -0.05164349624997373,
    -0.022577572416729016,
    0.01580325526354522,
    -0.003086874171225747,
    -0.001288506225071695,
    0.0009788294438208584,
    -0.00012745865008287728,
    -0.00010689100336701109,
    3.986942073636252e-05,
)
_TAIL = (
    3.1203810720582013,
    0.8415229512172474,
    0.003488785339508345,
    -0.0019988582333917556,
    0.0010754414511765027,
    -0.0006103270941922308,
    0.00031079349510574353,
    -0.00010221716266009705,
    -6.05414476029893e-06,
    1.4062188736529303e-05,
)
_TAIL_MIDDLE, _TAIL_REACH = np.float64(3.2862976842004192), np.float64(0.8368079414172414)


@widened
def _erfinv(x: Value) -> Value:
    one, six = np.float64(1), np.float64(6)
    size = abs(x)
    w = -log(one - x * x)
    root = call(math.sqrt, w)
    tail = polynomial(_TAIL, (root - _TAIL_MIDDLE) * (one / _TAIL_REACH))
    ratio = where(w < six, polynomial(_CENTRE, w * np.float64(1 / 3) - one), tail)
    return x * where(size == one, np.float64(np.inf), ratio)


def _cbrt(x: Value) -> Value:
    """Through the reciprocal root: guessed from the exponent, then two cubic steps."""
    builder, single = x.builder, x.data.type
    third, ninths = np.float32(1 / 3), np.float32(2 / 9)
    size = abs(x)
    lifted = size < np.finfo(np.float32).tiny
    base = where(lifted, size * np.float32(2.0**24), size)
    bits = builder.sitofp(builder.bitcast(base.data, _WORD), single)
    thirds = builder.fptosi((base.like(bits) * third).data, _WORD)
    r = base.like(builder.bitcast(builder.sub(_WORD(0x54A1F000), thirds), single))
    h = np.float32(1) - (base * r) * (r * r)
    r = r + r * (h * (third + h * ninths))
    wide, r = base.cast(types.float64), r.cast(types.float64)
    h = np.float64(1) - (wide * r) * (r * r)
    r = r + r * (h * (np.float64(1 / 3) + h * np.float64(2 / 9)))
    y = wide * r * r
    y = where(lifted, y * np.float64(2.0**-8), y).cast(x.kind)
    is_usual = (size > np.float32(0)) & (size < np.float32(np.inf))
    return where(is_usual, signed(y, x), x)


@widened
def _scaled_by_power(x: Value, n: Value) -> Value:
    """In one step: float64 has all powers that float32 needs."""
    return x * exp2(n)


def nextafter(x: Value, y: Value) -> Value:
    """Floats of one sign follow each other as their bits do."""
    builder = x.builder
    integer = _WORD if x.kind == types.float32 else ir.IntType(64)
    zero = x.constant(0)
    bits = builder.bitcast(x.data, integer)
    grows = ((x < y) & (x > zero)) | ((x > y) & (x < zero))
    step = builder.select(grows.data, integer(1), integer(-1))
    moved = x.like(builder.bitcast(builder.add(bits, step), x.data.type))
    least = signed(x.like(builder.bitcast(integer(1), x.data.type)), y)
    moved = where(x == zero, least, moved)
    is_same = (x == y) | (x != x) | (y != y)
    return where(is_same, where(x == y, y, x + y), moved)


FUNCTIONS: dict[tuple[str, str], Callable[..., Value]] = {
    ("cbrt", "float32"): _cbrt,
    ("erfinv", "float32"): _erfinv,
    ("scaled_by_power", "float32"): _scaled_by_power,
}
"""By name of the scalar function and of the dtype."""
