"""Scaled dot-product attention by tiles: the matrix of scores is never whole.

A block has `LINES` queries of one head. Tiles of keys pass by: their scores become weights relative
to the largest score so far, and the sum of weighted values is corrected when a larger one comes.
What is kept for each row is the logarithm of the sum of its exponentials. Values of more than
`LINES` columns are computed by several blocks.

Milakov, Gimelshein: Online normalizer calculation for softmax (2018). Dao, Fu, Ermon, Rudra, Re:
FlashAttention: fast and memory-efficient exact attention with IO-awareness (NeurIPS 2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras_numba_cuda.cells import key_cell
from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import exponential, logarithm, udiv
from nkeras_numba_cuda.device.warps import barrier, in_lanes, larger_number, plus
from nkeras_numba_cuda.kernels.attention_tiles import (
    ALIGNMENT,
    AT,
    DTYPES,
    LINES,
    OF,
    PANEL,
    SIDE,
    STEP,
    TILE,
    computed_in,
    functions,
    numbers_of,
    sizes_of,
    start_of,
)
from nkeras_numba_cuda.kernels.endings import narrowing
from nkeras_numba_cuda.kernels.plain_products import HALVES
from nkeras_numba_cuda.kernels.products import as_bits
from nkeras_numba_cuda.kernels.recurrent import mask_or_nothing
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import Kernel, kernel
from nkeras_numba_cuda.memory import Array, constants, contiguous, empty

_largest_of_row = in_lanes(larger_number, SIDE)
_sum_of_row = in_lanes(plus, SIDE)


def _attend(dtype: str) -> Kernel:
    stored, computed = ("uint16" if dtype in HALVES else dtype), computed_in(dtype)
    kind = np.dtype(computed).type
    zero = kind(0)
    dot, weigh, score = functions(dtype, False)
    narrow = narrowing(dtype)

    @kernel(
        f"{stored}[::1], {computed}[::1], {stored}[::1], {stored}[::1], {stored}[::1], "
        f"{stored}[::1], boolean[::1], uint32[::1], {computed}[::1], int64[::1]",
        name=f"attend_{dtype}",
        threads=SIDE * SIDE,
    )
    def attend(y, log_sum, query, key, value, bias, mask, seed, numbers, g):
        left = cuda.shared.array(PANEL, kind, ALIGNMENT)
        right = cuda.shared.array(PANEL, kind, ALIGNMENT)
        tile = cuda.shared.array(TILE, kind, ALIGNMENT)
        products = cuda.local.array(16, kind)
        scores = cuda.local.array(16, kind)
        factors = cuda.local.array(16, kind)
        sums = cuda.local.array(16, kind)
        largest = cuda.local.array(4, kind)
        total = cuda.local.array(4, kind)
        thread = cuda.threadIdx.x
        row, column = 4 * (thread // SIDE), 4 * (thread % SIDE)
        queries, keys, heads = g[AT.queries], g[AT.keys], g[AT.heads]
        size, depth = g[AT.size], g[AT.depth]
        rest = udiv(cuda.blockIdx.x, g[AT.chunks])
        from_column = (cuda.blockIdx.x - rest * g[AT.chunks]) * LINES
        pair = udiv(rest, g[AT.row_tiles])
        # The last rows see most where later keys are hidden: they come first.
        top = (g[AT.row_tiles] - 1 - (rest - pair * g[AT.row_tiles])) * LINES
        batch = udiv(pair, heads)
        head = pair - batch * heads
        own, own_head = udiv(heads, g[AT.groups]), udiv(head, g[AT.groups])
        for i in range(16):
            sums[i] = zero
        for i in range(4):
            largest[i], total[i] = numbers[OF.lowest], zero
        end = min(keys, top + LINES) if g[AT.causal] != 0 else keys
        for first in range(0, keys, LINES):
            if first >= end:
                if thread % SIDE == 0:
                    for i in range(4):
                        left[row + i] = largest[i] if top + row + i < queries else zero
                barrier()
                lowest = zero
                for i in range(LINES):
                    lowest = min(lowest, left[i])
                barrier()
                if lowest > numbers[OF.hidden]:
                    break
                end = keys  # a row that sees nothing weighs all keys alike
            dot(
                products,
                left,
                right,
                query,
                start_of(batch, top, head, queries, heads, size),
                heads * size,
                queries - top,
                key,
                start_of(batch, first, own_head, keys, own, size),
                own * size,
                keys - first,
                size,
                thread,
            )
            for i in range(16):
                scores[i] = products[i]
            score(
                scores,
                scores,
                factors,
                bias,
                mask,
                seed,
                numbers,
                g,
                batch,
                head,
                top + row,
                first + column,
            )
            for i in range(4):
                high = largest[i]
                for j in range(4):
                    high = larger_number(scores[4 * i + j], high)
                high = _largest_of_row(high)
                correction = exponential(largest[i] - high)
                added = zero
                for j in range(4):
                    weight = exponential(scores[4 * i + j] - high)
                    added += weight
                    tile[(column + j) * STEP + row + i] = weight * factors[4 * i + j]
                    sums[4 * i + j] *= correction
                total[i] = total[i] * correction + _sum_of_row(added)
                largest[i] = high
            barrier()
            weigh(
                sums,
                tile,
                right,
                value,
                start_of(batch, first, own_head, keys, own, depth),
                own * depth,
                keys - first,
                from_column,
                depth,
                thread,
            )
        for i in range(4):
            r = top + row + i
            if r < queries:
                if from_column == 0 and column == 0:
                    log_sum[pair * queries + r] = largest[i] + logarithm(total[i])
                start = start_of(batch, r, head, queries, heads, depth)
                for j in range(4):
                    c = from_column + column + j
                    if c < depth:
                        y[start + c] = narrow(sums[4 * i + j] / total[i])

    return attend


_KERNELS = {dtype: _attend(dtype) for dtype in DTYPES}


@OWN.register
def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Any,
) -> tuple[Array, Array]:
    """Weighted values, and the logarithm of softmax's sum for each row."""
    dtype = query.dtype.name
    if dtype not in DTYPES:  # half types, where the target has none
        wide = [None if x is None else x.astype(np.float32) for x in (query, key, value, bias)]
        static: dict[str, Any] = {"scale": scale, "is_causal": is_causal, "soft_cap": soft_cap}
        y, log_sum = attention(
            wide[0], wide[1], wide[2], wide[3], mask, **static, rate=rate, seed=seed
        )
        return y.astype(query.dtype), log_sum
    sizes = sizes_of(query, value, bias, mask, value.shape[3], is_causal, soft_cap, rate)
    y = empty((*query.shape[:3], sizes.depth), query.dtype)
    log_sum = empty((sizes.batch, sizes.heads, sizes.queries), computed_in(dtype))
    if y.size:
        arrays = [as_bits(contiguous(query if x is None else x)) for x in (query, key, value, bias)]
        _KERNELS[dtype].launch_blocks(
            sizes.batch * sizes.heads * sizes.row_tiles * sizes.chunks,
            as_bits(y),
            log_sum,
            *arrays,
            mask_or_nothing(mask),
            key_cell(seed),
            numbers_of(dtype, sizes.keys, scale, soft_cap, rate),
            constants(*sizes),
        )
    return y, log_sum
