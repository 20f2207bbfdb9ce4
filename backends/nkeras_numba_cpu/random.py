"""Counter-based random bits: Philox4x32-10, and dropout by them.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).

A key may be an array of two uint32, which is read when the kernel runs, not when it is called.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cpu.compile import inner
from nkeras_numba_cpu.drivers import tasks
from nkeras_numba_cpu.memory import empty, operand, stored
from nkeras_numba_cpu.views import part

BLOCKS = 1024  # of four words: what one task makes
WORK = 20  # simple operations for each word, roughly

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_KEY_STEP_0 = np.uint64(0x9E3779B9)
_KEY_STEP_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)

Key = tuple[int, int] | np.ndarray


def random_bits(*, key: Key, size: int) -> np.ndarray:
    """uint32 of shape `(size,)`: block `b` gives the elements 4b .. 4b + 3."""
    words = empty((-(-size // 4) * 4,), np.uint32)
    if size:
        _random_bits(-(-size // (4 * BLOCKS)), size * WORK, _live(key), words)
    return words[:size]


def dropout(x: np.ndarray, *, key: Key, rate: float) -> np.ndarray:
    """`x / (1 - rate)` where the random number in [0, 1) is not below `rate`, else 0."""
    source = operand(x)
    y = empty(source.shape, source.dtype)
    if x.size:
        # The first 24 bits are a float32; compared as integers.
        least = math.ceil(float(np.float32(rate)) * 2**24)
        scale = source.dtype.type(1.0 / (1.0 - rate))
        count, flat = -(-x.size // (4 * BLOCKS)), (source.reshape(-1), y.reshape(-1))
        _dropout(count, x.size * WORK, _live(key), *flat, least, scale)
    return stored(y, x.dtype)


def _live(key: Key) -> np.ndarray:
    if isinstance(key, np.ndarray):
        return key
    return np.array((key[0] & 0xFFFFFFFF, key[1] & 0xFFFFFFFF), np.uint32)


@inner
def _fill(key, first, words):
    """Blocks `first`, `first + 1` ... into `words`, in which each number is below 2**32."""
    for i in range(words.size // 4):
        block = np.uint64(first + i)
        c0, c1, c2, c3 = block & _LOW, block >> _HIGH, np.uint64(0), np.uint64(0)
        k0, k1 = np.uint64(key[0]), np.uint64(key[1])
        for _ in range(10):
            product_0, product_2 = c0 * _MULTIPLIER_0, c2 * _MULTIPLIER_1
            c0, c1, c2, c3 = (
                (product_2 >> _HIGH) ^ c1 ^ k0,
                product_2 & _LOW,
                (product_0 >> _HIGH) ^ c3 ^ k1,
                product_0 & _LOW,
            )
            k0, k1 = (k0 + _KEY_STEP_0) & _LOW, (k1 + _KEY_STEP_1) & _LOW
        words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3] = c0, c1, c2, c3


@tasks
def _random_bits(task, key, words):
    first = task * BLOCKS
    _fill(key, first, part(words, 4 * first, min(4 * BLOCKS, words.size - 4 * first)))


@tasks
def _dropout(task, key, x, y, least, scale):
    words = np.empty(4 * BLOCKS, np.uint32)
    first = task * BLOCKS
    size = min(4 * BLOCKS, x.size - 4 * first)
    _fill(key, first, part(words, 0, (size + 3) // 4 * 4))
    x, y = part(x, 4 * first, size), part(y, 4 * first, size)
    for i in range(size):
        y[i] = x[i] * scale if (words[i] >> np.uint32(8)) >= least else 0
