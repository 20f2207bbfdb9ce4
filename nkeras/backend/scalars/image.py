"""Windows by which images are resampled: the weight of a cell at a distance of x cells."""

# pyright: reportMissingParameterType=false
from __future__ import annotations

from nkeras.backend.derive import absolute, sin, where
from nkeras.backend.scalar import scalar

PI = 3.141592653589793


@scalar
def triangle_window(x):
    distance = absolute(x)
    return where(distance < 1.0, 1.0 - distance, 0.0)


@scalar
def cubic_window(x):
    """Keys (1981), "Cubic convolution interpolation for digital image processing", a = -1/2."""
    distance = absolute(x)
    near = (1.5 * distance - 2.5) * distance * distance + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return where(distance < 1.0, near, where(distance < 2.0, far, 0.0))


@scalar
def lanczos_window(x, radius):
    """Duchon (1979), "Lanczos filtering in one and two dimensions": sinc(x) * sinc(x / radius)."""
    is_zero = absolute(x) < 1e-4
    angle = PI * where(is_zero, 1.0, x)
    value = radius * sin(angle) * sin(angle / radius) / (angle * angle)
    return where(is_zero, 1.0, where(absolute(x) < radius, value, 0.0))
