"""Rectangles of images that become parts of other images, or noise."""

import math

import numpy as np

from nkeras_numpy.namespace import Array, namespace
from nkeras_numpy.random import bits_of
from nkeras_numpy.registry import KERNELS


@KERNELS.register
def paste_rectangles(x: Array, source: Array, order: Array, first: Array, last: Array) -> Array:
    """Images whose rectangles come from the same places of other images."""
    xp = namespace(x)
    if not x.size:
        return x
    _, _, height, width, _ = x.shape
    _, _, rows, columns, _ = source.shape
    others = source[order % len(source)]
    others = others[:, :, xp.arange(height) % rows][:, :, :, xp.arange(width) % columns]
    inside = [
        (xp.arange(size) >= first[:, i : i + 1]) & (xp.arange(size) < last[:, i : i + 1])
        for i, size in enumerate((height, width))
    ]
    which = inside[0][:, None, :, None, None] & inside[1][:, None, None, :, None]
    return xp.where(which, others, x)


@KERNELS.register
def paste_noise(
    x: Array,
    first: Array,
    last: Array,
    *,
    key: tuple[int, int] | Array,
    size: tuple[int, int],
    scale: float,
    limits: tuple[float, float],
) -> Array:
    """Images whose rectangles become normal random numbers times ``scale``, within limits."""
    xp = namespace(x)
    batch, planes, _, _, channels = x.shape
    shape = batch, planes, *size, channels
    words = xp.asarray(bits_of(key, 2 * math.prod(shape))).reshape(2, *shape)
    one = np.float32
    u, v = (words >> 8).astype(one) * one(2.0**-24)
    noise = xp.sqrt(one(-2.0) * xp.log(one(1.0) - u)) * xp.cos(one(2.0 * math.pi) * v)
    noise = xp.clip(noise * one(scale), one(limits[0]), one(limits[1]))
    noise = (xp.rint(noise) if x.dtype.kind in "iu" else noise).astype(x.dtype)
    return paste_rectangles(x, noise, xp.arange(batch), first, last)
