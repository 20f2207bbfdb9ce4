"""Counter-based random bits: Philox4x32-10, one thread per block of four numbers.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras_numba_cuda.cells import key_cell
from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import random as reference
from nkeras_numpy import rectangles
from nkeras_numpy.namespace import in_float32

# All uint64: Numba would make a float of a uint64 and a signed integer.
MULTIPLIER_0, MULTIPLIER_2 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEP_0, KEY_STEP_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW, HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)
DIGITS = np.uint64(8)  # of 32 that a number of 24 has not


@device_function
def philox(block, key_0, key_1):
    """The four words of a block, uint64 below 2**32."""
    first = np.uint64(block)
    c_0, c_1 = first & LOW, first >> HIGH
    c_2, c_3 = np.uint64(0), np.uint64(0)
    word_0, word_1 = np.uint64(key_0), np.uint64(key_1)
    for _ in range(10):
        product_0, product_2 = c_0 * MULTIPLIER_0, c_2 * MULTIPLIER_2
        c_0, c_2 = (product_2 >> HIGH) ^ c_1 ^ word_0, (product_0 >> HIGH) ^ c_3 ^ word_1
        c_1, c_3 = product_2 & LOW, product_0 & LOW
        word_0, word_1 = (word_0 + KEY_STEP_0) & LOW, (word_1 + KEY_STEP_1) & LOW
    return c_0, c_1, c_2, c_3


@kernel("uint32[::1], uint32[::1]")
def philox_bits(bits, key):
    for block in range(cuda.grid(1), (bits.size + 3) // 4, cuda.gridsize(1)):
        words = philox(block, key[0], key[1])
        for k in range(min(4, bits.size - block * 4)):
            bits[block * 4 + k] = words[k]


@kernel("{T}[::1], {T}[::1], uint32[::1], int64, {T}", T=FLOATING)
def philox_dropout(y, x, key, least, factor):
    """`x * factor` where the first 24 bits of an element's word are at least `least`, else 0."""
    for block in range(cuda.grid(1), (x.size + 3) // 4, cuda.gridsize(1)):
        words = philox(block, key[0], key[1])
        for k in range(min(4, x.size - block * 4)):
            i = block * 4 + k
            y[i] = x[i] * factor if np.int64(words[k] >> DIGITS) >= least else y.dtype.type(0)


@OWN.register
def random_bits(*, key: Any, size: int) -> Array:
    """uint32 `(size,)`: block `b` gives the elements `4b .. 4b + 3`."""
    bits = empty((size,), "uint32")
    philox_bits.launch((size + 3) // 4, bits, key_cell(key))
    return bits


@OWN.register
@in_float32
def dropout(x: Array, *, key: Any, rate: float) -> Array:
    """`x / (1 - rate)` where the random number in [0, 1) is not below `rate`, else 0."""
    y = empty(x.shape, x.dtype)
    least = math.ceil(float(np.float32(rate)) * 2**24)
    factor = x.dtype.type(1.0 / (1.0 - rate))
    philox_dropout.launch((x.size + 3) // 4, y, contiguous(x), key_cell(key), least, factor)
    return y


@OWN.register
def paste_noise(x: Array, first: Array, last: Array, *, key: Any, **static: Any) -> Array:
    """Images whose rectangles become normal random numbers."""
    batch, planes, _, _, channels = x.shape
    bits = random_bits(key=key, size=2 * batch * planes * math.prod(static["size"]) * channels)
    return rectangles.paste_noise(x, first, last, key=bits, **static)


@OWN.register
def gamma_normals(d: Array, factor: Array, *, key: Any) -> tuple[Array, Array]:
    """The normal numbers that gamma numbers are made of, and a uniform number for each."""
    bits = random_bits(key=key, size=(3 * reference.ATTEMPTS + 1) * d.size)
    return reference.gamma_normals(d, factor, key=bits)
