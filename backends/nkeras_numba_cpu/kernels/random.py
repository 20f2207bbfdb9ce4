"""Counter-based random bits: Philox4x32-10, and dropout by them.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).

A key may be an array of two uint32, which is read when the kernel runs, not when it is called.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.simd import INT, intrinsic
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

BLOCKS = 1024  # of four words: what one task makes
WORK = 20  # simple operations for each word, roughly

_TIMES = (0xD2511F53, 0xCD9E8D57)  # what words are multiplied by
_STEPS = (0x9E3779B9, 0xBB67AE85)  # from round to round, for the key
_LOW = 0xFFFFFFFF

Key = tuple[int, int] | np.ndarray


@KERNELS.register
def random_bits(*, key: Key, size: int) -> np.ndarray:
    """uint32 of shape `(size,)`: block `b` gives the elements 4b .. 4b + 3."""
    words = empty((-(-size // 4) * 4,), np.uint32)
    if size:
        _random_bits(-(-size // (4 * BLOCKS)), size * WORK, live_key(key), words)
    return words[:size]


@KERNELS.register
def dropout(x: np.ndarray, *, key: Key, rate: float) -> np.ndarray:
    """`x / (1 - rate)` where the random number in [0, 1) is not below `rate`, else 0."""
    source = operand(x)
    y = empty(source.shape, source.dtype)
    if x.size:
        # The first 24 bits are a float32; compared as integers.
        least = math.ceil(float(np.float32(rate)) * 2**24)
        scale = source.dtype.type(1.0 / (1.0 - rate))
        count, flat = -(-x.size // (4 * BLOCKS)), (source.reshape(-1), y.reshape(-1))
        _dropout(count, x.size * WORK, live_key(key), *flat, least, scale)
    return stored(y, x.dtype)


def live_key(key: Key) -> np.ndarray:
    """A key as kernels read it."""
    if isinstance(key, np.ndarray):
        return key
    return np.array((key[0] & 0xFFFFFFFF, key[1] & 0xFFFFFFFF), np.uint32)


@intrinsic
def _philox(typingctx, block, low, high):
    """The four words of a block, below 2**32, for a key of two words."""
    four = types.UniTuple(types.uint64, 4)

    def codegen(context, builder, signature, values):
        block, *key = values
        words = [builder.and_(block, INT(_LOW)), builder.lshr(block, INT(32)), INT(0), INT(0)]
        for _ in range(10):
            first, second = (
                builder.mul(words[0], INT(_TIMES[0])),
                builder.mul(words[2], INT(_TIMES[1])),
            )
            words = [
                builder.xor(builder.xor(builder.lshr(second, INT(32)), words[1]), key[0]),
                builder.and_(second, INT(_LOW)),
                builder.xor(builder.xor(builder.lshr(first, INT(32)), words[3]), key[1]),
                builder.and_(first, INT(_LOW)),
            ]
            steps = zip(key, _STEPS, strict=True)
            key = [builder.and_(builder.add(word, INT(step)), INT(_LOW)) for word, step in steps]
        return context.make_tuple(builder, four, words)

    return four(types.uint64, types.uint64, types.uint64), codegen


@inner
def fill_words(key, first, words):
    """Blocks `first`, `first + 1` ... into `words`."""
    low, high = key[0], key[1]
    for i in range(words.size // 4):
        words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3] = _philox(
            first + i, low, high
        )


@tasks
def _random_bits(task, key, words):
    first = task * BLOCKS
    fill_words(key, first, part(words, 4 * first, min(4 * BLOCKS, words.size - 4 * first)))


@tasks
def _dropout(task, key, x, y, least, scale):
    words = allocate(np.uint32, 4 * BLOCKS)
    first = task * BLOCKS
    size = min(4 * BLOCKS, x.size - 4 * first)
    fill_words(key, first, part(words, 0, (size + 3) // 4 * 4))
    x, y = part(x, 4 * first, size), part(y, 4 * first, size)
    for i in range(size):
        y[i] = x[i] * scale if (words[i] >> np.uint32(8)) >= least else 0
    release(words)
