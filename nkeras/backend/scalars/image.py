"""Of images: windows to resample by, which give the weight of a cell x cells away, and colours."""

# pyright: reportMissingParameterType=false
from __future__ import annotations

from nkeras.backend.derive import absolute, floor, sin, where
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


@scalar
def rgb_saturation(red, green, blue, least):
    """Hexagonal saturation: how far apart the colours are, of the largest one; 0 of black."""
    r = where(absolute(red) < least, 0.0, red)
    g = where(absolute(green) < least, 0.0, green)
    b = where(absolute(blue) < least, 0.0, blue)
    larger = where(r > g, r, g)
    smaller = where(r > g, g, r)
    value = where(larger > b, larger, b)
    lowest = where(smaller > b, b, smaller)
    return where(value > 0.0, (value - lowest) / where(value > 0.0, value, 1.0), 0.0)


@scalar
def rgb_hue(red, green, blue, least):
    """Hue as a part of a turn: red is 0, green 1/3, blue 2/3; 0 of greys."""
    r = where(absolute(red) < least, 0.0, red)
    g = where(absolute(green) < least, 0.0, green)
    b = where(absolute(blue) < least, 0.0, blue)
    larger = where(r > g, r, g)
    smaller = where(r > g, g, r)
    value = where(larger > b, larger, b)
    lowest = where(smaller > b, b, smaller)
    spread = value - lowest
    over = 6.0 * where(spread > 0.0, spread, 1.0)
    from_green = where(value == g, (b - r) / over + 1.0 / 3.0, (r - g) / over + 2.0 / 3.0)
    hue = where(value == r, (g - b) / over, from_green)
    return where(spread > 0.0, where(hue < 0.0, hue + 1.0, hue), 0.0)


@scalar
def rgb_value(red, green, blue, least):
    """The largest of three; NaN is kept."""
    larger = where((red > green) | (red != red), red, green)
    value = where((larger > blue) | (larger != larger), larger, blue)
    return where(absolute(value) < least, 0.0, value)


@scalar
def hsv_channel(hue, saturation, value, sixths):
    """A primary colour; `sixths` is its hue, in sixths of a turn."""
    turned = 6.0 * hue - sixths
    distance = absolute(turned - 6.0 * floor(turned / 6.0) - 3.0) - 1.0
    share = where(distance < 0.0, 0.0, where(distance > 1.0, 1.0, distance))
    return value * (1.0 - saturation + saturation * share)
