"""Counter-based random bits: Philox4x32-10.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

import math

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS

_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)
ATTEMPTS = 8  # each fails with at most 1 in 20, all of them with 1 in 25 thousand million
LEAST = 2.0**-25  # keeps logarithms of uniform numbers finite


def philox(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> tuple[Array, ...]:
    """The four 32-bit words of each block. Words are uint64 arrays with values below 2**32."""
    c0, c1, c2, c3 = counter
    for step in range(_ROUNDS):
        key0, key1 = (
            np.uint64((word + step * increment) & 0xFFFFFFFF)
            for word, increment in zip(key, _KEY_STEPS, strict=True)
        )
        product0, product2 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (product2 >> _HIGH) ^ c1 ^ key0,
            product2 & _LOW,
            (product0 >> _HIGH) ^ c3 ^ key1,
            product0 & _LOW,
        )
    return c0, c1, c2, c3


@KERNELS.register
def random_bits(*, key: tuple[int, int], size: int) -> Array:
    """uint32 of shape ``(size,)``: block ``b`` gives the elements ``4b .. 4b + 3``."""
    block = np.arange((size + 3) // 4, dtype=np.uint64)
    zero = np.zeros_like(block)
    words = philox((block & _LOW, block >> _HIGH, zero, zero), key)
    return np.stack(words, axis=1).astype(np.uint32).reshape(4 * block.size)[:size]


def bits_of(key: tuple[int, int] | Array, size: int) -> Array:
    """``random_bits`` of a key, or where a device has drawn them, those bits in its place."""
    return random_bits(key=key, size=size) if isinstance(key, tuple) else key


@KERNELS.register
@in_float32
def dropout(x: Array, *, key: tuple[int, int], rate: float) -> Array:
    """``x / (1 - rate)`` where the random number in [0, 1) is not below ``rate``, else 0."""
    digits = random_bits(key=key, size=x.size).reshape(x.shape) >> 8
    kept = digits >= math.ceil(float(np.float32(rate)) * 2**24)
    return np.where(kept, x * x.dtype.type(1.0 / (1.0 - rate)), 0).astype(x.dtype)


@KERNELS.register
@in_float32
def gamma_normals(d: Array, factor: Array, *, key: tuple[int, int]) -> tuple[Array, Array]:
    """The normal numbers that gamma numbers are made of, and a uniform number for each."""
    xp, number = namespace(d), d.dtype.type
    sets, size = d.shape
    count = 3 * ATTEMPTS + 1
    words = bits_of(key, sets * count * size).reshape(sets, count, size)
    unit = (words >> 8).astype(d.dtype) * number(2.0**-24)
    first, second = unit[:, :ATTEMPTS], unit[:, ATTEMPTS : 2 * ATTEMPTS]
    chance = xp.maximum(unit[:, 2 * ATTEMPTS : -1], number(LEAST))
    radius = xp.sqrt(number(-2.0) * xp.log(number(1.0) - first))
    x = radius * xp.cos(number(2.0 * math.pi) * second)
    d, factor = d[:, None], factor[:, None]
    t = number(1.0) + x * factor
    v = xp.where(t > 0, t * t * t, number(1.0))
    bound = x * x * number(0.5) + d * (number(1.0) - v + xp.log(v))
    accepted = (t > 0) & (xp.log(chance) < bound)
    chosen = xp.argmax(accepted, axis=1)[:, None]
    x = xp.take_along_axis(x, chosen, axis=1)[:, 0]
    return x, xp.maximum(unit[:, -1], number(LEAST))
