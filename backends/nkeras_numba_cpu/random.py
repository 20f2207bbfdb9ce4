"""Counter-based random bits: Philox4x32-10.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import parallel
from nkeras_numba_cpu.memory import empty

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_KEY_STEP_0 = np.uint64(0x9E3779B9)
_KEY_STEP_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)


def random_bits(*, key: tuple[int, int], size: int) -> np.ndarray:
    """uint32 of shape `(size,)`: block `b` gives the elements 4b .. 4b + 3."""
    blocks = empty(((size + 3) // 4, 4), np.uint32)
    if size:
        _philox(size * 20, np.uint64(key[0] & 0xFFFFFFFF), np.uint64(key[1] & 0xFFFFFFFF), blocks)
    return blocks.reshape(-1)[:size]


@parallel
def _philox(key_0, key_1, blocks):
    for b in prange(blocks.shape[0]):
        # Words are uint64 with values below 2**32.
        block = np.uint64(b)
        c0, c1, c2, c3 = block & _LOW, block >> _HIGH, np.uint64(0), np.uint64(0)
        k0, k1 = key_0, key_1
        for _ in range(10):
            product_0, product_2 = c0 * _MULTIPLIER_0, c2 * _MULTIPLIER_1
            c0, c1, c2, c3 = (
                (product_2 >> _HIGH) ^ c1 ^ k0,
                product_2 & _LOW,
                (product_0 >> _HIGH) ^ c3 ^ k1,
                product_0 & _LOW,
            )
            k0, k1 = (k0 + _KEY_STEP_0) & _LOW, (k1 + _KEY_STEP_1) & _LOW
        blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3] = c0, c1, c2, c3
