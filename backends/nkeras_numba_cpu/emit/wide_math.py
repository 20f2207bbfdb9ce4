"""Functions of float32 that are computed in float64, without branches or calls.

What is left of the precision pays for short polynomials, so the result is right to half a unit in
the last place but for rare cases. The polynomials are Chebyshev interpolations of the functions
named beside them. All serve the whole range but sin, cos and tan, which say where an argument is
too large for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from nkeras_numba_cpu.emit.values import Note, Value, call, define_power, where
from nkeras_numba_cpu.emit.vector_math import functions as narrow_functions
from nkeras_numba_cpu.emit.vector_math import polynomial, power_of_two, reduced, signed

_ZERO, _ONE, _TWO, _HALF = (np.float64(number) for number in (0, 1, 2, 0.5))
_SMALL, _THIRD, _SIXTH = (np.float64(number) for number in (1e-3, 1 / 3, 1 / 6))
_F_HALF = np.float32(0.5)
_INFINITY, _NAN, _PI = np.float64(np.inf), np.float64(np.nan), np.float64(math.pi)
_RIGHT, _HALF_RIGHT = np.float64(math.pi / 2), np.float64(math.pi / 4)

# arctan(z) / z in z**2, up to tan(pi / 8).
_ARCTAN = (
    0.9999999999782574,
    -0.3333333209076715,
    0.199998833291463,
    -0.1428157411158315,
    0.11040307060692105,
    -0.08455159180139803,
    0.047051652393080484,
)
# arcsin(r) / r in r**2, up to 1 / 2.
_ARCSIN = (
    0.9999999999861052,
    0.16666667375469693,
    0.07499941088029474,
    0.04466135994619062,
    0.030099715018655035,
    0.024668826202247727,
    0.007344145185338571,
    0.03481866555363723,
)
# (sin(r) - r) / r**3 and (cos(r) - 1 + r**2 / 2) / r**4 in r**2, up to pi / 4.
_SIN = (
    -0.16666666663832921,
    0.008333331865976781,
    -0.00019840082018766607,
    2.7249314677131215e-06,
)
_COS = (
    0.04166666666426341,
    -0.0013888887661040606,
    2.4800595438179082e-05,
    -2.730036629793153e-07,
)
# 2 * arctanh(s) / s in s**2, up to (sqrt(2) - 1) / (sqrt(2) + 1); exp(r) up to log(2) / 2.
_LOG = (
    2.000000000008401,
    0.6666666524181442,
    0.4000038583564311,
    0.2853497703555875,
    0.23617798438260257,
)
_EXP = (
    0.9999999999590679,
    0.9999999999954547,
    0.5000000108715037,
    0.16666666787396062,
    0.0416662155868923,
    0.008333283236782008,
    0.001394876006450676,
    0.00019907770325339086,
)
# pi / 2 in parts: a whole number below 2**25 times the first or the second part is exact.
_RIGHT_PARTS = (1.570796325802803, 9.920935739593517e-10, 5.721188726109832e-18)
_MAGIC = np.float64(6755399441055744.0)  # a sum with it rounds to integers
_FAR, _FARTHER = np.float64(150), np.float64(1000)
LARGEST = np.float32(2.0**24)  # the largest argument of sin, cos and tan that is reduced exactly

Function = Callable[..., Value]


def widened(function: Function) -> Function:
    """A function of float64 as one of float32."""

    @wraps(function)
    def wrapper(*arguments: Any) -> Value:
        some = next(x for x in arguments if isinstance(x, Value))
        wide = [x.cast(types.float64) if isinstance(x, Value) else np.float64(x) for x in arguments]
        return function(*wide).cast(some.kind)

    return wrapper


def _root(x: Value) -> Value:
    return call(math.sqrt, x)


def log(x: Value) -> Value:
    """The logarithm of a number that is 0, infinite, NaN or far from both ends of float64."""
    f, e = reduced(x, None)
    s = f / (_TWO + f)
    y = e * np.float64(math.log(2)) + s * polynomial(_LOG, s * s)
    y = where(x < _INFINITY, y, x)
    return where(x > _ZERO, y, where(x == _ZERO, -_INFINITY, x * _NAN))


def _exp(x: Value) -> Value:
    """The exponential function, of which a float32 is made: it may stop where that is infinite."""
    x = where(x > _FAR, _FAR, where(x < -_FAR, -_FAR, x))
    t = x * np.float64(1 / math.log(2)) + (_MAGIC + np.float64(1023))
    n = t - (_MAGIC + np.float64(1023))
    return polynomial(_EXP, x - n * np.float64(math.log(2))) * power_of_two(t)


def exp2(x: Value) -> Value:
    """2**x for all x whose power times a float32 may be one."""
    x = where(x > _FARTHER, _FARTHER, where(x < -_FARTHER, -_FARTHER, x))
    t = x + (_MAGIC + np.float64(1023))
    rest = x - (t - (_MAGIC + np.float64(1023)))
    return polynomial(_EXP, rest * np.float64(math.log(2))) * power_of_two(t)


def _arctan_of(size: Value) -> Value:
    """The angle of a number that is not negative."""
    is_steep, is_middle = (
        size > np.float64(math.tan(3 * math.pi / 8)),
        size > np.float64(math.tan(math.pi / 8)),
    )
    above = where(is_steep, -_ONE, where(is_middle, size - _ONE, size))
    below = where(is_steep, size, where(is_middle, size + _ONE, _ONE))
    z = above / below
    base = where(is_steep, _RIGHT, where(is_middle, _HALF_RIGHT, _ZERO))
    return base + z * polynomial(_ARCTAN, z * z)


@widened
def arctan(x: Value) -> Value:
    return signed(_arctan_of(abs(x)), x)


@widened
def arctan2(y: Any, x: Any) -> Value:
    y, x = (v if isinstance(v, Value) else _other(y, x).constant(v) for v in (y, x))
    height, width = abs(y), abs(x)
    slope = where((height == _INFINITY) & (width == _INFINITY), _ONE, height / width)
    angle = _arctan_of(where((height == _ZERO) & (width == _ZERO), _ZERO, slope))
    return signed(where(call(np.signbit, x), _PI - angle, angle), y)


def _other(y: Any, x: Any) -> Value:
    return y if isinstance(y, Value) else x


def arcsin(x: Value) -> Value:
    small, large, size = _arcsin_parts(x)
    return signed(where(size > _F_HALF, _RIGHT - large, small).cast(x.kind), x)


def arccos(x: Value) -> Value:
    small, large, size = _arcsin_parts(x)
    far = where(x < _F_HALF, _PI - large, large)
    near = _RIGHT - signed(small, x.cast(types.float64))
    return where(size > _F_HALF, far, near).cast(x.kind)


def _arcsin_parts(x: Value) -> tuple[Value, Value, Value]:
    """arcsin(size) where size = |x| is at most 1/2, arccos(size) where it is more, and size."""
    size = abs(x)
    half = (np.float32(1) - size) * _F_HALF
    r = where(size > _F_HALF, _root(half), size).cast(types.float64)
    y = r * polynomial(_ARCSIN, r * r)
    return y, y + y, size


@widened
def arcsinh(x: Value) -> Value:
    size = abs(x)
    y = log(size + _root(size * size + _ONE))
    return signed(where(size < _SMALL, size - size * size * size * _SIXTH, y), x)


@widened
def arccosh(x: Value) -> Value:
    return where(x < _ONE, _NAN, log(x + _root(x * x - _ONE)))


@widened
def arctanh(x: Value) -> Value:
    size = abs(x)
    y = _HALF * log((_ONE + size) / (_ONE - size))
    return signed(where(size < _SMALL, size + size * size * size * _THIRD, y), x)


@widened
def power(x: Any, y: Any) -> Value:
    """As pow of C: 1 for an exponent 0 and for the base 1, also beside NaN."""
    if not isinstance(x, Value) and 0.0 < x < math.inf and x != 1.0:
        return _exp(y * np.float64(math.log(x)))
    some = _other(y, x)
    x, y = (v if isinstance(v, Value) else some.constant(v) for v in (x, y))
    size = abs(x)
    result = _exp(y * log(size))
    is_whole = call(np.floor, y) == y
    half = y * _HALF
    is_odd = is_whole & (call(np.floor, half) != half) & (abs(y) < _INFINITY)
    result = where(is_odd, signed(result, x), result)
    result = where((x < _ZERO) & (x > -_INFINITY) & ~is_whole, _NAN, result)
    is_one = (y == _ZERO) | (x == _ONE) | ((size == _ONE) & (abs(y) == _INFINITY))
    return where(is_one, _ONE, result)


def _turned(x: Value) -> tuple[Value, Value, Any]:
    """Sine and cosine of what is left of x, and the bits of the number of right angles before."""
    shifted = x * np.float64(2 / math.pi) + _MAGIC
    n = shifted - _MAGIC
    r = x
    for part in _RIGHT_PARTS:
        r = r - n * np.float64(part)
    z = r * r
    sine = r + r * z * polynomial(_SIN, z)
    cosine = (_ONE - z * _HALF) + z * z * polynomial(_COS, z)
    return sine, cosine, x.builder.bitcast(shifted.data, ir.IntType(64))


def _bit(like: Value, bits: Any, number: int) -> Value:
    builder = like.builder
    bit = builder.and_(builder.lshr(bits, bits.type(number)), bits.type(1))
    return like.like(builder.trunc(bit, ir.IntType(1)), types.boolean)


@widened
def _sin(x: Value) -> Value:
    sine, cosine, turns = _turned(x)
    size = where(_bit(x, turns, 0), cosine, sine)
    y = where(_bit(x, turns, 1), -size, size)
    return where(x == _ZERO, x, y)  # which keeps the sign of zero


@widened
def _cos(x: Value) -> Value:
    sine, cosine, turns = _turned(x)
    is_odd = _bit(x, turns, 0)
    size = where(is_odd, sine, cosine)
    is_second = _bit(x, turns, 1)
    return where((is_odd & ~is_second) | (is_second & ~is_odd), -size, size)


@widened
def _tan(x: Value) -> Value:
    sine, cosine, turns = _turned(x)
    is_odd = _bit(x, turns, 0)
    y = where(is_odd, -cosine, sine) / where(is_odd, sine, cosine)
    return where(x == _ZERO, x, y)


define_power(types.float32, power)
_WIDE = (arctan, arctan2, arcsin, arccos, arcsinh, arccosh, arctanh)
_PERIODIC: dict[str, Function] = {"sin": _sin, "cos": _cos, "tan": _tan}


def functions(dtype: str | None) -> dict[str, Any]:
    """The table that scalar functions of a dtype are bound to; None stands for no floating one."""
    table = narrow_functions(dtype)
    if dtype == "float32":
        return table | {function.__name__: function for function in _WIDE}
    return table


def functions_within(dtype: str | None, note: Note) -> dict[str, Any]:
    """The table with sin, cos and tan for arguments that are not too large.

    Where one is, `note` is given the condition.
    """

    def noting(function: Function, x: Value) -> Value:
        note(abs(x) > LARGEST)
        return function(x)

    table = functions(dtype)
    if dtype == "float32":
        return table | {name: partial(noting, function) for name, function in _PERIODIC.items()}
    return table


def is_periodic(name: str) -> bool:
    """Whether the two tables differ in the function of a name."""
    return name in _PERIODIC
