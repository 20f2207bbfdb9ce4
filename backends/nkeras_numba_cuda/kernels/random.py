"""Counter-based random bits: Philox4x32-10, one thread per block of four numbers.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import kernel
from nkeras_numba_cuda.memory import Array, empty

# All uint64: Numba would make a float of a uint64 and a signed integer.
MULTIPLIER_0, MULTIPLIER_2 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEP_0, KEY_STEP_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW, HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)


@kernel("uint32[::1], uint64, uint64")
def philox(bits, key_0, key_1):
    for block in range(cuda.grid(1), (bits.size + 3) // 4, cuda.gridsize(1)):
        first = np.uint64(block)
        c_0, c_1 = first & LOW, first >> HIGH
        c_2, c_3 = np.uint64(0), np.uint64(0)
        word_0, word_1 = key_0, key_1
        for _ in range(10):
            product_0, product_2 = c_0 * MULTIPLIER_0, c_2 * MULTIPLIER_2
            c_0, c_2 = (product_2 >> HIGH) ^ c_1 ^ word_0, (product_0 >> HIGH) ^ c_3 ^ word_1
            c_1, c_3 = product_2 & LOW, product_0 & LOW
            word_0, word_1 = (word_0 + KEY_STEP_0) & LOW, (word_1 + KEY_STEP_1) & LOW
        at = block * 4
        bits[at] = c_0
        if at + 1 < bits.size:
            bits[at + 1] = c_1
        if at + 2 < bits.size:
            bits[at + 2] = c_2
        if at + 3 < bits.size:
            bits[at + 3] = c_3


@OWN.register
def random_bits(*, key: tuple[int, int], size: int) -> Array:
    """uint32 `(size,)`: block `b` gives the elements `4b .. 4b + 3`."""
    bits = empty((size,), "uint32")
    words = [np.uint64(word & 0xFFFFFFFF) for word in key]
    philox.launch((size + 3) // 4, bits, *words)
    return bits
