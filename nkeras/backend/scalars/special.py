"""Exponentials, logarithms, trigonometry and error functions, named as in `keras.ops`."""

# pyright: reportMissingParameterType=false
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
from nkeras.backend.derive import floor as _floor
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
INV_LOG_2 = 1.4426950408889634
SQRT_PI_OVER_2 = 0.886226925452758
INV_SQRT_PI = 0.5641895835477563
PI = 3.141592653589793


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
def scaled_by_power(x, n):
    """X * 2**n for whole n, in two steps: 2**n alone may overflow where the product does not."""
    half = _floor(n * 0.5)
    return x * 2.0**half * 2.0 ** (n - half)


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
def logaddexp2(x1, x2):
    return logaddexp(x1 * LOG_2, x2 * LOG_2) * INV_LOG_2


@logaddexp2.derivative
def logaddexp2_grad_x1(grad_y, x1, y):
    return grad_y * _exp((x1 - y) * LOG_2)


@logaddexp2.derivative
def logaddexp2_grad_x2(grad_y, x2, y):
    return grad_y * _exp((x2 - y) * LOG_2)


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
def erfc(x):
    """1 - erf(x); above 1.5, where that would cancel, exp(p(u) - x**2) * t with t = 2 / (2 + x).

    The polynomial p in u = 2 * t - 1 is a Chebyshev interpolation.
    """
    a = _where(x < 1.5, 1.5, x)
    t = 2.0 / (2.0 + a)
    u = t + t - 1.0
    p = 5.498593869109849e-05 + u * (2.5157033197409987e-05 + u * 3.947395964449829e-06)
    p = -4.9081782375788646e-05 + u * (2.776799467813492e-05 + u * p)
    p = 2.7737820428257136e-05 + u * (-1.7361053521785513e-05 + u * p)
    p = -0.00010021596999541423 + u * (-0.00019638195880734513 + u * p)
    p = -0.0001461565790558051 + u * (0.00067284303825218 + u * p)
    p = 0.0017589381642819913 + u * (-0.002345765163704909 + u * p)
    p = -0.009872689458622779 + u * (0.00882493816468087 + u * p)
    p = 0.0473433068423631 + u * (-0.04689561023281156 + u * p)
    p = -0.6717940840566926 + u * (0.6726432239776717 + u * p)
    return _where(x < 1.5, 1.0 - _erf(x), t * _exp(p - a * a))


@erfc.derivative
def erfc_grad_x(grad_y, x):
    return grad_y * (-2.0 * INV_SQRT_PI) * _exp(-(x * x))


@scalar
def erfinv(x):
    """Giles' polynomials, then two Newton steps.

    Source: https://people.maths.ox.ac.uk/gilesm/files/gems_erfinv.pdf
    """
    inside = _absolute(x) < 1.0
    a = _where(inside, x, 0.0)
    w = -_log1p(-(a * a))
    u = w - 2.5
    centre = (
        1.50140941
        + (
            0.246640727
            + (
                -0.00417768164
                + (
                    -0.00125372503
                    + (
                        0.00021858087
                        + (
                            -4.39150654e-06
                            + (-3.5233877e-06 + (3.43273939e-07 + 2.81022636e-08 * u) * u) * u
                        )
                        * u
                    )
                    * u
                )
                * u
            )
            * u
        )
        * u
    )
    v = _sqrt(_where(w > 5.0, w, 5.0)) - 3.0
    tail = (
        2.83297682
        + (
            1.00167406
            + (
                0.00943887047
                + (
                    -0.0076224613
                    + (
                        0.00573950773
                        + (
                            -0.00367342844
                            + (0.00134934322 + (0.000100950558 - 0.000200214257 * v) * v) * v
                        )
                        * v
                    )
                    * v
                )
                * v
            )
            * v
        )
        * v
    )
    z = a * _where(w < 5.0, centre, tail)
    z = z - (_erf(z) - a) * SQRT_PI_OVER_2 * _exp(z * z)
    z = z - (_erf(z) - a) * SQRT_PI_OVER_2 * _exp(z * z)
    return _where(inside, z, x / _sqrt(1.0 - _absolute(x)))


@erfinv.derivative
def erfinv_grad_x(grad_y, y):
    return grad_y * SQRT_PI_OVER_2 * _exp(y * y)


@scalar
def i0(x):
    """Below 20 the power series in x**2 / 4, above the asymptotic one in 1 / x.

    Source: https://dlmf.nist.gov/10.25 and https://dlmf.nist.gov/10.40
    """
    size = _absolute(x)
    near, far = _where(size < 20.0, size, 20.0), _where(size < 20.0, 20.0, size)
    q, z = near * near * 0.25, 1.0 / far
    s = a = 1.0
    s = 1.0 + q * (1 / 1444) * (1.0 + q * (1 / 1521) * (1.0 + q * (1 / 1600) * s))
    s = 1.0 + q * (1 / 1225) * (1.0 + q * (1 / 1296) * (1.0 + q * (1 / 1369) * s))
    s = 1.0 + q * (1 / 1024) * (1.0 + q * (1 / 1089) * (1.0 + q * (1 / 1156) * s))
    s = 1.0 + q * (1 / 841) * (1.0 + q * (1 / 900) * (1.0 + q * (1 / 961) * s))
    s = 1.0 + q * (1 / 676) * (1.0 + q * (1 / 729) * (1.0 + q * (1 / 784) * s))
    s = 1.0 + q * (1 / 529) * (1.0 + q * (1 / 576) * (1.0 + q * (1 / 625) * s))
    s = 1.0 + q * (1 / 400) * (1.0 + q * (1 / 441) * (1.0 + q * (1 / 484) * s))
    s = 1.0 + q * (1 / 289) * (1.0 + q * (1 / 324) * (1.0 + q * (1 / 361) * s))
    s = 1.0 + q * (1 / 196) * (1.0 + q * (1 / 225) * (1.0 + q * (1 / 256) * s))
    s = 1.0 + q * (1 / 121) * (1.0 + q * (1 / 144) * (1.0 + q * (1 / 169) * s))
    s = 1.0 + q * (1 / 64) * (1.0 + q * (1 / 81) * (1.0 + q * (1 / 100) * s))
    s = 1.0 + q * (1 / 25) * (1.0 + q * (1 / 36) * (1.0 + q * (1 / 49) * s))
    s = 1.0 + q * (1 / 4) * (1.0 + q * (1 / 9) * (1.0 + q * (1 / 16) * s))
    s = 1.0 + q * (1 / 1) * s
    a = 1.0 + z * (625 / 104) * (1.0 + z * (729 / 112) * (1.0 + z * (841 / 120) * a))
    a = 1.0 + z * (361 / 80) * (1.0 + z * (441 / 88) * (1.0 + z * (529 / 96) * a))
    a = 1.0 + z * (169 / 56) * (1.0 + z * (225 / 64) * (1.0 + z * (289 / 72) * a))
    a = 1.0 + z * (49 / 32) * (1.0 + z * (81 / 40) * (1.0 + z * (121 / 48) * a))
    a = 1.0 + z * (1 / 8) * (1.0 + z * (9 / 16) * (1.0 + z * (25 / 24) * a))
    half = _exp(far * 0.5)
    return _where(size < 20.0, s, half / _sqrt(2.0 * PI * far) * a * half)


@scalar
def sinc(x):
    a = PI * _where(x == 0.0, 1.0, x)
    return _where(x == 0.0, 1.0, _sin(a) / a)


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
    return grad_y * x1 / _where(y == 0.0, 1.0, y)


@hypot.derivative
def hypot_grad_x2(grad_y, x2, y):
    return grad_y * x2 / _where(y == 0.0, 1.0, y)
