"""Arithmetic, comparison, logic and rounding, named as in `keras.ops`."""

# pyright: reportMissingParameterType=false
from __future__ import annotations

from nkeras.backend.derive import absolute as _absolute
from nkeras.backend.derive import ceil as _ceil
from nkeras.backend.derive import floor as _floor
from nkeras.backend.derive import isfinite as _isfinite
from nkeras.backend.derive import isinf as _isinf
from nkeras.backend.derive import isnan as _isnan
from nkeras.backend.derive import log as _log
from nkeras.backend.derive import rint as _rint
from nkeras.backend.derive import signbit as _signbit
from nkeras.backend.derive import sqrt as _sqrt
from nkeras.backend.derive import trunc as _trunc
from nkeras.backend.derive import where as _where
from nkeras.backend.scalar import scalar

ONE_THIRD = 1.0 / 3.0


@scalar
def add(x1, x2):
    return x1 + x2


@scalar
def subtract(x1, x2):
    return x1 - x2


@scalar
def multiply(x1, x2):
    return x1 * x2


@scalar
def divide(x1, x2):
    return x1 / x2


@scalar
def divide_no_nan(x1, x2):
    return _where(x2 == 0.0, 0.0, x1 / _where(x2 == 0.0, 1.0, x2))


@scalar
def floor_divide(x1, x2):
    """By -1, both signs turn: LLVM leaves the lowest integer divided by -1 undefined."""
    turns = (x2 < 0.0) & (x2 == -1.0)
    return _where(turns, -x1, x1) // _where(turns, -x2, x2)


@scalar
def mod(x1, x2):
    return x1 % x2


@scalar
def power(x1, x2):
    return x1**x2


@scalar
def power_in_the_plane(x1, x2):
    """`x1**x2` of complex numbers, whose derivative asks no number for its sign."""
    return x1**x2


@power_in_the_plane.derivative
def power_in_the_plane_grad_x2(grad_y, x1, y):
    return grad_y * y * _log(_where(x1 == 0.0, 1.0, x1))


@scalar
def negative(x):
    return -x


@scalar
def absolute(x):
    return _absolute(x)


@scalar
def sign(x):
    return _where(x > 0.0, 1.0, _where(x < 0.0, -1.0, x))


@sign.derivative
def sign_grad_x(grad_y):
    return 0.0 * grad_y


@scalar
def square(x):
    return x * x


@scalar
def cube(x):
    return x * x * x


@cube.derivative
def cube_grad_x(grad_y, x):
    return grad_y * (3.0 * x * x)


@scalar
def fourth_power(x):
    square = x * x
    return square * square


@fourth_power.derivative
def fourth_power_grad_x(grad_y, x):
    return grad_y * (4.0 * x * x * x)


@scalar
def reciprocal_square(x):
    """The square of a reciprocal lies in range where the square of x does not."""
    y = 1.0 / x
    return y * y


@scalar
def sqrt(x):
    return _sqrt(x)


@scalar
def root(x):
    """The power 1/2, whose result is never -0: a gradient by -0 is infinity as by 0."""
    return _sqrt(x + 0.0)


@root.derivative
def root_grad_x(grad_y, y):
    return grad_y * 0.5 / y


@scalar
def reciprocal_root(x):
    """The power -1/2: infinity for -0."""
    return 1.0 / _sqrt(x + 0.0)


@reciprocal_root.derivative
def reciprocal_root_grad_x(grad_y, y):
    return grad_y * -0.5 * (y * y * y)


@scalar
def rsqrt(x):
    return 1.0 / _sqrt(x)


@scalar
def reciprocal(x):
    return 1.0 / x


@scalar
def maximum(x1, x2):
    """NaN in either argument is kept."""
    return _where((x1 >= x2) | (x1 != x1), x1, x2)


@scalar
def minimum(x1, x2):
    """NaN in either argument is kept."""
    return _where((x1 <= x2) | (x1 != x1), x1, x2)


@scalar
def fmax(x1, x2):
    """NaN gives way to a number."""
    return _where((x1 >= x2) | (x2 != x2), x1, x2)


@scalar
def fmin(x1, x2):
    """NaN gives way to a number."""
    return _where((x1 <= x2) | (x2 != x2), x1, x2)


@scalar
def rest_of(x, quotient, size):
    return x - quotient * size


@scalar
def from_start(x, size):
    return _where(x < 0.0, x + size, x)


@scalar
def without_nan(x, value):
    return _where(x != x, value, x)


@scalar
def fmod(x1, x2):
    """Remainder with the sign of x1.

    Both are given one sign, always one that exists: the lowest integer has no opposite.
    """
    falls = (x1 >= 0.0) & (x2 < 0.0)
    rising = _where(falls, -x1, x1)
    two = _where((x1 < 0.0) & (x2 >= 0.0), -x2, x2)
    rest = rising % two
    return _where(falls, -rest, rest)


@scalar
def cbrt(x):
    """One Newton step makes the power exact to the last digits."""
    size = _absolute(x)
    safe = _where((size == 0.0) | _isinf(size), 1.0, size)
    root = safe**ONE_THIRD
    root = root - (root * root * root - safe) / (3.0 * root * root)
    root = _where((size == 0.0) | _isinf(size), size, root)
    return _where(x < 0.0, -root, root)


@cbrt.derivative
def cbrt_grad_x(grad_y, y):
    return grad_y / (3.0 * y * y)


@scalar
def heaviside(x1, x2):
    return _where(x1 < 0.0, 0.0, _where(x1 > 0.0, 1.0, _where(x1 == 0.0, x2, x1)))


@heaviside.derivative
def heaviside_grad_x1(grad_y):
    return 0.0 * grad_y


@scalar
def nan_to_number(x, nan, posinf, neginf):
    limited = _where(_isinf(x), _where(x > 0.0, posinf, neginf), x)
    return _where(_isnan(x), nan, limited)


@scalar
def clip(x, x_min, x_max):
    return _where(x < x_min, x_min, _where(x > x_max, x_max, x))


@scalar(conditions=("condition",))
def where(condition, x1, x2):
    return _where(condition, x1, x2)


@scalar
def floor(x):
    return _floor(x)


@scalar
def ceil(x):
    return _ceil(x)


@scalar
def trunc(x):
    return _trunc(x)


@scalar
def rint(x):
    return _rint(x)


@scalar(result="bool")
def equal(x1, x2):
    return x1 == x2


@scalar(result="bool")
def not_equal(x1, x2):
    return x1 != x2


@scalar(result="bool")
def greater(x1, x2):
    return x1 > x2


@scalar(result="bool")
def greater_equal(x1, x2):
    return x1 >= x2


@scalar(result="bool")
def less(x1, x2):
    return x1 < x2


@scalar(result="bool")
def less_equal(x1, x2):
    return x1 <= x2


@scalar(result="bool", conditions=("x1", "x2"))
def logical_and(x1, x2):
    return x1 & x2


@scalar(result="bool", conditions=("x1", "x2"))
def logical_or(x1, x2):
    return x1 | x2


@scalar(result="bool", conditions=("x1", "x2"))
def logical_xor(x1, x2):
    return x1 != x2


@scalar(result="bool", conditions=("x",))
def logical_not(x):
    return _where(x, False, True)


@scalar(result="bool")
def isnan(x):
    return _isnan(x)


@scalar(result="bool")
def isinf(x):
    return _isinf(x)


@scalar(result="bool")
def isfinite(x):
    return _isfinite(x)


@scalar(result="bool")
def is_near(x1, x2, rtol, atol):
    near = _absolute(x1 - x2) <= atol + rtol * _absolute(x2)
    return (x1 == x2) | (near & _isfinite(x2))


@scalar(result="bool")
def isposinf(x):
    return _isinf(x) & (x > 0.0)


@scalar(result="bool")
def isneginf(x):
    return _isinf(x) & (x < 0.0)


@scalar(result="bool")
def signbit(x):
    return _signbit(x)


@scalar
def bitwise_and(x, y):
    return x & y


@scalar
def bitwise_or(x, y):
    return x | y


@scalar
def bitwise_xor(x, y):
    return x ^ y


@scalar
def bitwise_not(x):
    return ~x


@scalar
def bitwise_left_shift(x, y):
    return x << y


@scalar
def bitwise_right_shift(x, y):
    return x >> y


@scalar
def moving_average(average, value, momentum, rest):
    """`rest` is `1 - momentum`, which float32 would round."""
    return average * momentum + value * rest


@scalar
def over_root_of_product(x1, x2, x3):
    return x1 / _sqrt(x2 * x3)


@scalar
def descended(x, scale, direction):
    return x - scale * direction


@scalar
def moving_square(average, x, momentum, rest, added):
    """The moving average of x * x + added; `rest` is `1 - momentum`."""
    return average * momentum + (x * x + added) * rest


@scalar
def over_root(x1, x2):
    return x1 / _sqrt(x2)
