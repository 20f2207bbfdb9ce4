"""Exponentials, logarithms, trigonometry and error functions, named as in `keras.ops`."""

from __future__ import annotations

from nkeras.backend.derive import absolute as _absolute
from nkeras.backend.derive import arccos as _arccos
from nkeras.backend.derive import arccosh as _arccosh
from nkeras.backend.derive import arcsin as _arcsin
from nkeras.backend.derive import arcsinh as _arcsinh
from nkeras.backend.derive import arctan as _arctan
from nkeras.backend.derive import arctan2 as _arctan2
from nkeras.backend.derive import arctanh as _arctanh
from nkeras.backend.derive import cos as _cos
from nkeras.backend.derive import cosh as _cosh
from nkeras.backend.derive import erf as _erf
from nkeras.backend.derive import exp as _exp
from nkeras.backend.derive import expm1 as _expm1
from nkeras.backend.derive import isinf as _isinf
from nkeras.backend.derive import log as _log
from nkeras.backend.derive import log1p as _log1p
from nkeras.backend.derive import log2 as _log2
from nkeras.backend.derive import log10 as _log10
from nkeras.backend.derive import sin as _sin
from nkeras.backend.derive import sinh as _sinh
from nkeras.backend.derive import sqrt as _sqrt
from nkeras.backend.derive import tan as _tan
from nkeras.backend.derive import tanh as _tanh
from nkeras.backend.derive import where as _where
from nkeras.backend.scalar import scalar

LOG_2 = 0.6931471805599453
SQRT_PI_OVER_2 = 0.886226925452758


@scalar
def exp(x):
    return _exp(x)


@exp.derivative
def exp_grad_x(grad_y, y):
    return grad_y * y


@scalar
def exp2(x):
    return _exp(x * LOG_2)


@scalar
def expm1(x):
    return _expm1(x)


@scalar
def log(x):
    return _log(x)


@scalar
def log1p(x):
    return _log1p(x)


@scalar
def log2(x):
    return _log2(x)


@scalar
def log10(x):
    return _log10(x)


@scalar
def logaddexp(x1, x2):
    larger = _where(x1 > x2, x1, x2)
    difference = _where(x1 == x2, 0.0, -_absolute(x1 - x2))
    return _where((x1 != x1) | (x2 != x2), x1 + x2, larger + _log1p(_exp(difference)))


@logaddexp.derivative
def logaddexp_grad_x1(grad_y, x1, y):
    return grad_y * _exp(x1 - y)


@logaddexp.derivative
def logaddexp_grad_x2(grad_y, x2, y):
    return grad_y * _exp(x2 - y)


@scalar
def sin(x):
    return _sin(x)


@scalar
def cos(x):
    return _cos(x)


@scalar
def tan(x):
    return _tan(x)


@scalar
def arcsin(x):
    return _arcsin(x)


@scalar
def arccos(x):
    return _arccos(x)


@scalar
def arctan(x):
    return _arctan(x)


@scalar
def arctan2(x1, x2):
    return _arctan2(x1, x2)


@scalar
def sinh(x):
    return _sinh(x)


@scalar
def cosh(x):
    return _cosh(x)


@scalar
def tanh(x):
    return _tanh(x)


@tanh.derivative
def tanh_grad_x(grad_y, y):
    return grad_y * (1.0 - y * y)


@scalar
def arcsinh(x):
    return _arcsinh(x)


@scalar
def arccosh(x):
    return _arccosh(x)


@scalar
def arctanh(x):
    return _arctanh(x)


@scalar
def erf(x):
    return _erf(x)


@scalar
def hypot(x1, x2):
    """Scaled by the larger argument, so that squares do not overflow."""
    a = _absolute(x1)
    b = _absolute(x2)
    larger = _where(a > b, a, b)
    scale = _where(larger == 0.0, 1.0, larger)
    length = scale * _sqrt((a / scale) * (a / scale) + (b / scale) * (b / scale))
    return _where(_isinf(a) | _isinf(b), a + b, length)


@hypot.derivative
def hypot_grad_x1(grad_y, x1, y):
    return grad_y * x1 / y


@hypot.derivative
def hypot_grad_x2(grad_y, x2, y):
    return grad_y * x2 / y
