"""Elementwise operations: each is one scalar function and one line.

Arguments broadcast as in NumPy. The result has the promoted dtype of the arguments (`promote`), at
least a floating one (`float`), or is `bool`.
"""

from __future__ import annotations

from nkeras.backend.scalar import Scalar
from nkeras.backend.scalars import arithmetic, special
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.powers import Power

_DOC = """{summary}

    Args:
{arguments}
    Returns:
        Tensor of the broadcast shape{dtype}.

    Raises:
        ValueError: the shapes do not broadcast.

    Source: https://keras.io/api/ops/numpy/
    """
_DTYPES = {
    "promote": " and the promoted dtype",
    "float": " and a floating dtype",
    "bool": " and dtype bool",
}


def elementwise(scalar: Scalar, promotion: str, summary: str, *defaults: float) -> Elementwise:
    """Make the operation of a scalar function, with its docstring."""
    return Elementwise(scalar, promotion, defaults, _described(scalar, promotion, summary))


def _described(scalar: Scalar, promotion: str, summary: str) -> str:
    arguments = "".join(f"        {name}: tensor, array or number.\n" for name in scalar.parameters)
    kind = "bool" if scalar.result == "bool" else promotion
    return _DOC.format(summary=summary, arguments=arguments, dtype=_DTYPES[kind])


add = elementwise(arithmetic.add, "promote", "Sum.")
subtract = elementwise(arithmetic.subtract, "promote", "Difference.")
multiply = elementwise(arithmetic.multiply, "promote", "Product.")
divide = elementwise(arithmetic.divide, "float", "Quotient; true_divide is the same.")
divide_no_nan = elementwise(arithmetic.divide_no_nan, "float", "Quotient, 0 where x2 is 0.")
floor_divide = elementwise(arithmetic.floor_divide, "promote", "Quotient rounded down.")
mod = elementwise(arithmetic.mod, "promote", "Remainder with the sign of x2.")
maximum = elementwise(arithmetic.maximum, "promote", "The larger one; NaN is kept.")
minimum = elementwise(arithmetic.minimum, "promote", "The smaller one; NaN is kept.")
fmax = elementwise(arithmetic.fmax, "promote", "The larger one; a number wins over NaN.")
fmin = elementwise(arithmetic.fmin, "promote", "The smaller one; a number wins over NaN.")
fmod = elementwise(arithmetic.fmod, "promote", "Remainder with the sign of x1.")
heaviside = elementwise(arithmetic.heaviside, "float", "0 below zero, 1 above, x2 at zero.")
logaddexp2 = elementwise(special.logaddexp2, "float", "log2(2**x1 + 2**x2), stable.")
logaddexp = elementwise(special.logaddexp, "float", "log(exp(x1) + exp(x2)), stable.")
hypot = elementwise(special.hypot, "float", "sqrt(x1**2 + x2**2), stable.")
arctan2 = elementwise(special.arctan2, "float", "Angle of the point (x2, x1), in (-pi, pi].")

negative = elementwise(arithmetic.negative, "promote", "-x.")
absolute = elementwise(arithmetic.absolute, "promote", "|x|.")
sign = elementwise(arithmetic.sign, "promote", "-1, 0 or 1.")
_square = elementwise(arithmetic.square, "promote", "x * x.")
_cube = elementwise(arithmetic.cube, "promote", "x * x * x.")
_fourth_power = elementwise(arithmetic.fourth_power, "promote", "x * x * x * x.")
_root = elementwise(arithmetic.root, "float", "Square root, 0 of -0.")
_reciprocal_root = elementwise(arithmetic.reciprocal_root, "float", "1 / sqrt(x).")
_reciprocal_square = elementwise(arithmetic.reciprocal_square, "float", "1 / (x * x).")
sqrt = elementwise(arithmetic.sqrt, "float", "Square root.")
cbrt = elementwise(arithmetic.cbrt, "float", "Cube root.")
rsqrt = elementwise(arithmetic.rsqrt, "float", "1 / sqrt(x).")
reciprocal = elementwise(arithmetic.reciprocal, "float", "1 / x.")
power = Power(
    arithmetic.power,
    _described(arithmetic.power, "promote", "x1 to the power of x2; fast where x2 is a number."),
    products={1: to_tensor, 2: _square, 3: _cube, 4: _fourth_power},
    others={0.5: _root, -0.5: _reciprocal_root, -1: reciprocal, -2: _reciprocal_square},
)
power.of_complex = elementwise(
    arithmetic.power_in_the_plane, "promote", "x1 to the power of x2, of complex numbers."
)
floor = elementwise(arithmetic.floor, "float", "Largest integer not above x.")
ceil = elementwise(arithmetic.ceil, "float", "Smallest integer not below x.")
trunc = elementwise(arithmetic.trunc, "promote", "x without its fraction.")
rint = elementwise(arithmetic.rint, "float", "Nearest integer, ties to even.")

exp = elementwise(special.exp, "float", "e to the power of x.")
exp2 = elementwise(special.exp2, "float", "2 to the power of x.")
expm1 = elementwise(special.expm1, "float", "exp(x) - 1, exact near 0.")
log = elementwise(special.log, "float", "Natural logarithm.")
log1p = elementwise(special.log1p, "float", "log(1 + x), exact near 0.")
log2 = elementwise(special.log2, "float", "Logarithm to base 2.")
log10 = elementwise(special.log10, "float", "Logarithm to base 10.")
sin = elementwise(special.sin, "float", "Sine of x in radians.")
cos = elementwise(special.cos, "float", "Cosine of x in radians.")
tan = elementwise(special.tan, "float", "Tangent of x in radians.")
arcsin = elementwise(special.arcsin, "float", "Inverse sine, in radians.")
arccos = elementwise(special.arccos, "float", "Inverse cosine, in radians.")
arctan = elementwise(special.arctan, "float", "Inverse tangent, in radians.")
sinh = elementwise(special.sinh, "float", "Hyperbolic sine.")
cosh = elementwise(special.cosh, "float", "Hyperbolic cosine.")
tanh = elementwise(special.tanh, "float", "Hyperbolic tangent.")
arcsinh = elementwise(special.arcsinh, "float", "Inverse hyperbolic sine.")
arccosh = elementwise(special.arccosh, "float", "Inverse hyperbolic cosine.")
arctanh = elementwise(special.arctanh, "float", "Inverse hyperbolic tangent.")
erf = elementwise(special.erf, "float", "Error function.")
erfc = elementwise(special.erfc, "float", "1 - erf(x), exact where it is small.")
erfinv = elementwise(special.erfinv, "float", "Inverse of the error function.")
i0 = elementwise(special.i0, "float", "Modified Bessel function of order 0.")
sinc = elementwise(special.sinc, "float", "sin(pi * x) / (pi * x), 1 at 0.")

equal = elementwise(arithmetic.equal, "promote", "x1 == x2.")
not_equal = elementwise(arithmetic.not_equal, "promote", "x1 != x2.")
greater = elementwise(arithmetic.greater, "promote", "x1 > x2.")
greater_equal = elementwise(arithmetic.greater_equal, "promote", "x1 >= x2.")
less = elementwise(arithmetic.less, "promote", "x1 < x2.")
less_equal = elementwise(arithmetic.less_equal, "promote", "x1 <= x2.")
logical_and = elementwise(arithmetic.logical_and, "bool", "Both are true.")
logical_or = elementwise(arithmetic.logical_or, "bool", "One or both are true.")
logical_xor = elementwise(arithmetic.logical_xor, "bool", "Exactly one is true.")
logical_not = elementwise(arithmetic.logical_not, "bool", "x is false.")
isnan = elementwise(arithmetic.isnan, "float", "x is not a number.")
isinf = elementwise(arithmetic.isinf, "float", "x is infinite.")
isfinite = elementwise(arithmetic.isfinite, "float", "x is neither infinite nor NaN.")
isposinf = elementwise(arithmetic.isposinf, "float", "x is positive infinity.")
isneginf = elementwise(arithmetic.isneginf, "float", "x is negative infinity.")
signbit = elementwise(arithmetic.signbit, "float", "The sign bit of x is set.")

bitwise_and = elementwise(arithmetic.bitwise_and, "promote", "Bits set in both.")
bitwise_or = elementwise(arithmetic.bitwise_or, "promote", "Bits set in one or both.")
bitwise_xor = elementwise(arithmetic.bitwise_xor, "promote", "Bits set in exactly one.")
bitwise_not = elementwise(arithmetic.bitwise_not, "promote", "Inverted bits.")
bitwise_left_shift = elementwise(arithmetic.bitwise_left_shift, "promote", "x * 2**y.")
bitwise_right_shift = elementwise(arithmetic.bitwise_right_shift, "promote", "x // 2**y.")

where_ = elementwise(arithmetic.where, "promote", "x1 where the condition holds, else x2.")
_clip = elementwise(arithmetic.clip, "promote", "x limited to [x_min, x_max].")

abs = absolute
true_divide = divide
bitwise_invert = bitwise_not
left_shift = bitwise_left_shift
right_shift = bitwise_right_shift


@op
def square(x: TensorLike) -> Tensor:
    """X * x; of a bool as int32.

    Args:
        x: tensor, array or number.

    Returns:
        Tensor of the same shape.
    """
    return _square(to_tensor(x, "int32") if getattr(x, "dtype", None) == "bool" else x)


@op
def clip(x: TensorLike, x_min: TensorLike | None, x_max: TensorLike | None) -> Tensor:
    """Limit values to an interval; the dtype stays that of `x` (bool becomes int32).

    Args:
        x: tensor.
        x_min: lower limit, number or tensor that broadcasts; None for no limit.
        x_max: upper limit, likewise.

    Returns:
        Tensor of the broadcast shape.

    Example:
        >>> import nkeras
        >>> nkeras.ops.clip([-1.0, 0.5, 3.0], 0.0, 1.0).numpy()
        array([0. , 0.5, 1. ], dtype=float32)
    """
    x = to_tensor(x)
    dtype = "int32" if x.dtype == "bool" else x.dtype
    x = to_tensor(x, dtype) if x.dtype == "bool" else x
    if x_min is None:
        return x if x_max is None else minimum(x, to_tensor(x_max, dtype))
    if x_max is None:
        return maximum(x, to_tensor(x_min, dtype))
    return _clip(x, to_tensor(x_min, dtype), to_tensor(x_max, dtype))


def root_of_squares(squares: TensorLike) -> Tensor:
    """`sqrt` for sums of squares: where they are zero the gradient is zero, and not 0 * infinity.

    There the norm has a kink, and zero is the subgradient of least length.
    """
    empty = equal(squares, 0.0)
    return where_(empty, 0.0, sqrt(where_(empty, 1.0, squares)))
