"""From uniform numbers in [0, 1) to other distributions, one formula each."""

# pyright: reportMissingParameterType=false
from __future__ import annotations

from nkeras.backend.derive import cos, log, log1p, sqrt, where
from nkeras.backend.scalar import scalar

TWO_PI = 6.283185307179586
SQRT_2 = 1.4142135623730951
ERF_SQRT_2 = 0.9544997361036416


@scalar
def box_muller(u, v):
    """A normal number from two uniform ones (Box and Muller 1958)."""
    return sqrt(-2.0 * log(1.0 - u)) * cos(TWO_PI * v)


@scalar
def truncated_normal_quantile(u):
    """The quantile of the normal distribution cut at two standard deviations.

    The polynomial is Giles' (2010, https://people.maths.ox.ac.uk/gilesm/files/gems_erfinv.pdf) for
    the inverse error function near 0, which is all that two deviations need.
    """
    x = (2.0 * u - 1.0) * ERF_SQRT_2
    w = -log1p(-x * x) - 2.5
    p = 3.43273939e-07 + 2.81022636e-08 * w
    p = -3.5233877e-06 + p * w
    p = -4.39150654e-06 + p * w
    p = 0.00021858087 + p * w
    p = -0.00125372503 + p * w
    p = -0.00417768164 + p * w
    p = 0.246640727 + p * w
    p = 1.50140941 + p * w
    z = SQRT_2 * p * x
    return where(z > 2.0, 2.0, where(z < -2.0, -2.0, z))
