"""Scalar functions without branches or calls, so that LLVM vectorises the loops around them.

Each is right to about one unit in the last place, to two where functions are composed, over the
whole range: overflow, underflow through the denormals, infinities, NaN and the sign of zero.

The coefficients are Chebyshev fits of the functions named beside them, where the polynomial is used
(for the tail of erf: weighted least squares with Lawson's weights, that is, minimax). The schemes
are the classical ones: Cody and Waite's reduction for exp, and log1p(f) = f - f**2/2 + s * (f**2/2
+ R) with s = f / (2 + f) (Ng, FDLIBM). Compiled with contraction only: reassociation would undo the
reductions.
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nkeras_numba_cpu.emit.values import FLAGS, Value, call, compiled, where

# What all dtypes share, and integers are left with.
_LIBRARY: dict[str, Any] = {
    "absolute": abs,
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
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "signbit": np.signbit,
}
CHEAP = frozenset("where absolute sqrt floor ceil trunc rint isnan isinf isfinite signbit".split())


@cache
def functions(dtype: str | None) -> dict[str, Any]:
    """The table that scalar functions of a dtype are bound to; None stands for no floating one."""
    table: dict[str, Any] = {name: partial(call, value) for name, value in _LIBRARY.items()}
    table["where"] = where
    if dtype == "float32":
        table.update(_functions(np.float32, _FLOAT32), erf=_erf)
    elif dtype == "float64":
        table.update(_functions(np.float64, _FLOAT64))
    return table


# 1.5 * 2**mantissa bits, which a sum with rounds to integers; the range in which exp is neither 0
# nor infinite, and a little more; log(2) in two parts, the first one short;
# q of exp(r) = 1 + r + r**2 * q(r); R(s**2) / s**2 of log(1 + f).
_FLOAT32 = (
    12582912.0,
    (-105.0, 90.0),
    (0.693359375, -2.12194440e-4),
    (
        0.5,
        0.1666657702559799,
        0.041666554662050534,
        0.008363173074513711,
        0.001392617611993558,
    ),
    (0.6666666655449709, 0.40000121839806124, 0.28550820815960665, 0.23330467216303835),
)
_FLOAT64 = (
    6755399441055744.0,
    (-746.0, 711.0),
    (6.93147180369123816490e-01, 1.90821492927058770002e-10),
    (
        0.5,
        0.1666666666666667,
        0.04166666666666667,
        0.008333333333326141,
        0.0013888888888883752,
        0.00019841269874800493,
        2.4801587325533363e-05,
        2.7557255425746435e-06,
        2.7557273661348637e-07,
        2.510520637395701e-08,
        2.0914679376583935e-09,
    ),
    (
        0.6666666666666666,
        0.4000000000000088,
        0.28571428570803614,
        0.22222222391713917,
        0.18181795640132906,
        0.15386239702814658,
        0.13268773138656886,
        0.13086626147840102,
    ),
)
# erf(x) / x - 1 in x**2 below 1; -log(erfc(x)) above.
_ERF_CENTRE = (
    0.12837916584835093,
    -0.37612626666720334,
    0.11283594715160218,
    -0.026854212010626412,
    0.005189087423433974,
    -0.000801686428716587,
    7.875875062685488e-05,
)
_ERF_TAIL = (
    0.00024472250305596164,
    1.1274749470910224,
    0.6375170771233915,
    0.10364026264661633,
    -0.022087610305191296,
    0.0030085289731647323,
    -0.0001924251720076116,
)


def polynomial(coefficients: tuple[float, ...], x: Value) -> Value:
    """Horner's scheme; the coefficient of x**0 is the first one."""
    *rest, result = (x.constant(coefficient) for coefficient in coefficients)
    for coefficient in reversed(rest):
        result = result * x + coefficient
    return result


def _parts(x: Value) -> tuple[ir.Type, int, int]:
    """The integer type of a float's bits, the number of its mantissa bits, and the bias."""
    if x.kind == types.float32:
        return ir.IntType(32), 23, 127
    return ir.IntType(64), 52, 1023


def power_of_two(t: Value) -> Value:
    """2**n from a sum of n, the bias of exponents and a multiple of 2**(mantissa bits)."""
    integer, digits, _ = _parts(t)
    builder = t.builder
    bits = builder.shl(builder.bitcast(t.data, integer), integer(digits))
    return t.like(builder.bitcast(bits, t.data.type))


def signed(size: Value, x: Value) -> Value:
    """`size` with the sign of x."""
    integer = _parts(x)[0]
    builder = x.builder
    sign = integer(1 << (integer.width - 1))
    bits = builder.and_(builder.bitcast(x.data, integer), sign)
    bits = builder.or_(builder.bitcast(size.data, integer), bits)
    return x.like(builder.bitcast(bits, x.data.type))


def reduced(x: Value, c: Any) -> tuple[Value, Value]:
    """For x > 0, `f` and `e` with x + c = (1 + f) * 2**e; 1 + f is between sqrt(1/2) and sqrt(2).

    `c`, a Value or 0, is small against x, and not seen by the choice of `e`.
    """
    integer, digits, bias = _parts(x)
    builder, kind = x.builder, x.data.type
    root = int(np.sqrt(np.array(0.5, x.kind.name)).view(f"int{integer.width}"))
    bits = builder.sub(builder.bitcast(x.data, integer), integer(root))
    e = builder.ashr(bits, integer(digits))
    mantissa = builder.add(builder.and_(bits, integer((1 << digits) - 1)), integer(root))
    f = x.like(builder.bitcast(mantissa, kind)) - x.constant(1)
    if isinstance(c, Value):
        # Twice 2**-e, so that it is 0, and not infinite, for the largest e.
        down = builder.shl(builder.sub(integer(bias + 1), e), integer(digits))
        f = c * x.constant(0.5) * x.like(builder.bitcast(down, kind)) + f
    e = builder.trunc(e, ir.IntType(32)) if integer.width == 64 else e
    return f, x.like(builder.sitofp(e, kind))


def _functions(number: Any, constants: Any) -> dict[str, Any]:
    """The functions for one dtype, whose constructor is `number`."""
    magic_, (low_, high_), (ln2_high_, ln2_low_), q_, r_ = constants
    low, high = number(low_), number(high_)
    ln2_high, ln2_low, log2_e = number(ln2_high_), number(ln2_low_), number(1 / math.log(2))
    zero, quarter, half, one, two = (number(c) for c in (0, 0.25, 0.5, 1, 2))
    infinity, nan = number(np.inf), number(np.nan)
    enough = number(20)  # for tanh to be 1
    far = number(60)  # where expm1 is -1
    least = number(0.999 * math.log(float(np.finfo(number).tiny)))
    # What makes the sum with n, as bits, the power 2**n; and how far from there it is exact.
    unit = number(magic_ + np.finfo(number).maxexp - 1)
    lower, upper = number(np.finfo(number).nmant + 3), number(4)
    tiny = np.finfo(number).tiny
    small = np.finfo(number).eps / two
    lift, digits = number(2.0**60), number(60)
    # Of the first part of log10(2), the products with an exponent are exact.
    log10_2_high, log10_e = number(0.30078125), number(math.log10(math.e))
    log10_2_low = number(math.log10(2) - 0.30078125)
    q, r = partial(polynomial, q_), partial(polynomial, r_)

    def reduced_exp(x: Value, unit: Any) -> tuple[Value, Value]:
        """exp(r) - 1 and n + unit, where x = n * log(2) + r and unit is a multiple of `magic`."""
        t = x * log2_e + unit
        n = t - unit
        r = x - n * ln2_high - n * ln2_low
        return r + r * r * q(r), t

    def scaled_exp(x: Value, factor: Any) -> Value:
        """factor * exp(x), in two steps, so that only the last one rounds or overflows."""
        x = where(x > high, high, x)
        x = where(x < low, low, x)
        negative = x < zero
        p, t = reduced_exp(x, where(negative, unit + lower, unit - upper))
        rest = where(negative, number(2.0 ** -float(lower)), number(2.0 ** float(upper)))
        return (p + one) * power_of_two(t) * (rest * factor)

    def exp(x: Value) -> Value:
        return scaled_exp(x, one)

    def moderate_exp(x: Value) -> Value:
        """exp where it is neither very large nor very small."""
        p, t = reduced_exp(x, unit)
        return (p + one) * power_of_two(t)

    def decay(x: Value) -> Value:
        """exp where x is not positive; 0 where that would be smaller than normal numbers are."""
        p, t = reduced_exp(where(x < least, least, x), unit)
        return where(x < least, zero, (p + one) * power_of_two(t))

    def half_exp(x: Value) -> Value:
        """exp(x) / 2, which is finite a little longer."""
        return scaled_exp(x, half)

    def small_expm1(x: Value) -> Value:
        """expm1 where exp(x) is no more than half the largest number, and not very small."""
        p, t = reduced_exp(x, unit)
        power = power_of_two(t)
        return power * p + (power - one)

    def expm1(x: Value) -> Value:
        p, t = reduced_exp(where(x > high, high, where(x < -far, -far, x)), unit - one)
        power = power_of_two(t)
        y = power * p + (power - half)
        y = where(x > high - one, infinity, y + y)
        return where(abs(x) < small, x, y)

    def tanh(x: Value) -> Value:
        size = abs(x)
        e = small_expm1(where(size > enough, enough, size) * two)
        return signed(e / (e + two), x)

    def sinh(x: Value) -> Value:
        size = abs(x)
        e = small_expm1(where(size > one, one, size))
        h = half_exp(size)
        return signed(where(size > one, h - quarter / h, half * (e + e / (e + one))), x)

    def cosh(x):
        h = half_exp(abs(x))
        return h + quarter / h

    def log_parts(x, c):
        """log(1 + f) and e, where x + c = (1 + f) * 2**e."""
        lifted = x < tiny
        f, e = reduced(where(lifted, x * lift, x), c)
        e = where(lifted, e - digits, e)
        s = f / (two + f)
        z = s * s
        squared = half * f * f
        return f - (squared - s * (squared + z * r(z))), e

    def ended(x, y):
        """y, but the logarithm where x is not between 0 and infinity; NaN is kept."""
        y = where(x < infinity, y, x)
        return where(x > zero, y, where(x == zero, -infinity, x * nan))

    def log(x):
        y, e = log_parts(x, None)
        return ended(x, e * ln2_high + (e * ln2_low + y))

    def log2(x):
        y, e = log_parts(x, None)
        return ended(x, y * log2_e + e)

    def log10(x):
        y, e = log_parts(x, None)
        return ended(x, e * log10_2_high + (e * log10_2_low + y * log10_e))

    def log1p(x):
        u = x + one
        c = where(x > one, one - (u - x), x - (u - one))
        y, e = log_parts(where(u < infinity, u, one), where(x < infinity, c, zero))
        y = e * ln2_high + (e * ln2_low + y)
        return where(abs(x) < small, x, ended(u, y))

    table = (exp, moderate_exp, decay, expm1, log, log1p, log2, log10, tanh, sinh, cosh)
    return {function.__name__: function for function in table}


def _erf(x: Value) -> Value:
    """The error function of a float32."""
    one, four = np.float32(1), np.float32(4)
    size = abs(x)
    t = where(size > four, four, size)
    tail = one - functions("float32")["moderate_exp"](-polynomial(_ERF_TAIL, t))
    return signed(where(size < one, size + size * polynomial(_ERF_CENTRE, x * x), tail), x)


def _either(name: str) -> Any:
    """The function of a name for kernels, which compute in float32 or float64."""
    return compiled(lambda x: functions(x.kind.name)[name](x))


exp, decay, log = _either("exp"), _either("decay"), _either("log")


def _maximum(typingctx, x, y):
    """The larger one; NaN is kept. LLVM vectorises loops over it, unlike a comparison."""

    def codegen(context, builder, signature, values):
        kind = values[0].type
        name = f"llvm.maximum.f{32 if x == types.float32 else 64}"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind, kind]), name
        )
        return builder.call(function, values)

    return x(x, x), codegen


def _subtract(typingctx, x, y):
    """The difference, which sums in another order, where they are allowed, leave alone."""

    def codegen(context, builder, signature, values):
        return builder.fsub(*values, flags=FLAGS)

    return x(x, x), codegen


maximum: Any = intrinsic(_maximum)
subtract: Any = intrinsic(_subtract)
