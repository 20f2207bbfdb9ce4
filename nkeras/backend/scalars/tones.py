"""Of the values of pixels: brighter, mixed, stretched, inverted, in steps, more colorful."""

# pyright: reportMissingParameterType=false
from __future__ import annotations

from nkeras.backend.derive import floor, where
from nkeras.backend.scalar import scalar


@scalar
def shifted_tone(x, change, low, high):
    y = x + change
    return where(y < low, low, where(y > high, high, y))


@scalar
def blended_tone(x, other, share, low, high):
    y = x + share * (other - x)
    return where(y < low, low, where(y > high, high, y))


@scalar
def inverted_tone(is_inverted, x, total):
    return where(is_inverted, total - x, x)


@scalar
def posterized_tone(x, step, low, high):
    """The range is 256 levels, of which every `step`-th is left."""
    level = (x - low) * (255.0 / (high - low))
    level = where(level > 0.0, where(level > 255.0, 255.0, floor(level)), 0.0)
    return floor(level / step) * step * ((high - low) / 255.0) + low


@scalar
def solarized_tone(x, addition, threshold, low, high):
    """Addition and threshold are 255ths of the range."""
    y = (x - low) * (255.0 / (high - low)) + addition
    y = where(y < 0.0, 0.0, where(y > 255.0, 255.0, y))
    return where(y < threshold, y, 255.0 - y) * ((high - low) / 255.0) + low


@scalar
def stretched_tone(x, least, largest, low, high):
    """From least to largest becomes from low to high; a single value stays as it is."""
    is_spread = largest > least
    y = (x - least) / where(is_spread, largest - least, 1.0) * (high - low) + low
    y = where(y < low, low, where(y > high, high, y))
    return where(is_spread, y, x)


@scalar
def saturated_tone(x, value, lowest, factor):
    """A channel, when the saturation of its pixel is multiplied, up to 1; hue and value stay.

    Value and lowest are the largest and the smallest channel.
    """
    spread = value - lowest
    most = value / where(spread > 0.0, spread, 1.0)
    times = where(factor < most, factor, most)
    return value - where((value > 0.0) & (spread > 0.0), times, 0.0) * (value - x)
