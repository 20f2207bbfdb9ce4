"""Counter-based random bits: Philox4x32-10, and dropout by them.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).

A key may be an array of two uint32, which is read when the kernel runs, not when it is called.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from nkeras.backend.scalars.random import box_muller
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit import wide_math
from nkeras_numba_cpu.emit.registers import INT
from nkeras_numba_cpu.emit.simd import intrinsic
from nkeras_numba_cpu.emit.values import Value, call, where
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy.random import ATTEMPTS, LEAST

BLOCKS = 1024  # of four words: what one task makes
DRAWS = 4096  # gamma numbers that one task makes
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


def _emit_attempt(typingctx, words, d, factor):
    """A normal number of two random words, and whether the third accepts it for a gamma number."""

    def codegen(context, builder, signature, values):
        table = wide_math.functions_within(d.name, lambda condition: None)
        log = table["log"]
        units = [
            call(operator.rshift, Value(context, builder, types.uint32, word), np.uint32(8))
            for word in cgutils.unpack_tuple(builder, values[0])
        ]
        first, second, chance = (unit.cast(d) * unit.cast(d).constant(2.0**-24) for unit in units)
        # Sums and products here round one by one, as where x becomes a gamma number.
        x = box_muller.bind(table, d.name)(first, second)
        one, half, least = x.constant(1), x.constant(0.5), x.constant(LEAST)
        d_, factor_ = (Value(context, builder, d, value) for value in values[1:])
        t = _sum(one, _product(x, factor_))
        is_positive = t > x.constant(0)
        v = where(is_positive, _product(_product(t, t), t), one)
        rest = _sum(x.like(builder.fsub(one.data, v.data)), log(v))
        bound = _sum(_product(_product(x, x), half), _product(d_, rest))
        accepted = is_positive & (log(where(chance < least, least, chance)) < bound)
        return context.make_tuple(builder, signature.return_type, [x.data, accepted.data])

    return types.Tuple((d, types.boolean))(types.UniTuple(types.uint32, 3), d, d), codegen


def _sum(x: Value, y: Value) -> Value:
    return x.like(x.builder.fadd(x.data, y.data))


def _product(x: Value, y: Value) -> Value:
    return x.like(x.builder.fmul(x.data, y.data))


_attempt: Any = intrinsic(_emit_attempt)


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


@KERNELS.register
def gamma_normals(d: np.ndarray, factor: np.ndarray, *, key: Key) -> tuple[np.ndarray, np.ndarray]:
    """The normal numbers that gamma numbers are made of, and a uniform number for each."""
    dtype = d.dtype
    d, factor = operand(d), operand(factor)
    x, boost = empty(d.shape, d.dtype), empty(d.shape, d.dtype)
    if d.size:
        sets, size = d.shape
        count = sets * -(-size // DRAWS)
        _gamma_normals(count, d.size * 10 * WORK, live_key(key), d, factor, x, boost)
    return stored(x, dtype), stored(boost, dtype)


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


@inner
def _word(key, place):
    """The random word at a place."""
    return np.uint32(_philox(place >> 2, key[0], key[1])[place & 3])


@inner
def words_from(key, first, words):
    """Words from place `first` on, behind those before it in its block: how many these are."""
    fill_words(key, first >> 2, words)
    return first & 3


@tasks
def _gamma_normals(task, key, d, factor, x, boost):
    size = d.shape[1]
    pieces = (size + DRAWS - 1) // DRAWS
    i = task // pieces
    start = (task - i * pieces) * DRAWS
    count = min(DRAWS, size - start)
    base = i * (3 * ATTEMPTS + 1) * size + start
    words = (count + 7) // 4 * 4
    memory = allocate(np.uint32, 4 * words)
    accepted = allocate(np.int8, count)
    first, second = part(memory, 0, words), part(memory, words, words)
    chance, last = part(memory, 2 * words, words), part(memory, 3 * words, words)
    a = words_from(key, base, first)
    b = words_from(key, base + ATTEMPTS * size, second)
    c = words_from(key, base + 2 * ATTEMPTS * size, chance)
    e = words_from(key, base + 3 * ATTEMPTS * size, last)
    own_d, own_factor = part(d[i], start, count), part(factor[i], start, count)
    own_x, own_boost = part(x[i], start, count), part(boost[i], start, count)
    for j in range(count):
        own_x[j], accepted[j] = _attempt(
            (first[a + j], second[b + j], chance[c + j]), own_d[j], own_factor[j]
        )
    for j in range(count):
        unit = own_x.dtype.type(last[e + j] >> np.uint32(8)) * own_x.dtype.type(2.0**-24)
        own_boost[j] = max(unit, own_x.dtype.type(LEAST))
    for j in range(count):
        attempt = 1
        while not accepted[j] and attempt < ATTEMPTS:
            place = base + attempt * size + j
            trial = (
                _word(key, place),
                _word(key, place + ATTEMPTS * size),
                _word(key, place + 2 * ATTEMPTS * size),
            )
            number, is_accepted = _attempt(trial, own_d[j], own_factor[j])
            if is_accepted:
                own_x[j] = number
                accepted[j] = 1
            attempt += 1
    release(accepted)
    release(memory)
