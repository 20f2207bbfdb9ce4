"""Gradient of attention by its bias: a block for each tile goes past all scores that share it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv
from nkeras_numba_cuda.device.warps import barrier, in_lanes, plus
from nkeras_numba_cuda.kernels.attention_gradients import call_of, tile_function, types_of, widened
from nkeras_numba_cuda.kernels.attention_tiles import (
    ALIGNMENT,
    AT,
    DTYPES,
    LINES,
    PANEL,
    SIDE,
    computed_in,
)
from nkeras_numba_cuda.kernels.endings import narrowing
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import Kernel, kernel
from nkeras_numba_cuda.memory import Array, empty

ROWS_OF_SUMS = LINES * SIDE

_sum_of_row = in_lanes(plus, SIDE)


def _grad_bias(dtype: str) -> Kernel:
    kind = np.dtype(computed_in(dtype)).type
    zero = kind(0)
    compute, narrow = tile_function(dtype, False), narrowing(dtype)

    @kernel(types_of(dtype, 1), name=f"attention_grad_bias_{dtype}", threads=SIDE * SIDE)
    def attention_grad_bias(
        grad_bias, grad_y, query, key, value, bias, mask, log_sum, row_sums, seed, numbers, g
    ):
        left = cuda.shared.array(PANEL, kind, ALIGNMENT)
        right = cuda.shared.array(PANEL, kind, ALIGNMENT)
        weights = cuda.local.array(16, kind)
        grads = cuda.local.array(16, kind)
        factors = cuda.local.array(16, kind)
        sums = cuda.local.array(16, kind)
        thread = cuda.threadIdx.x
        row, column = 4 * (thread // SIDE), 4 * (thread % SIDE)
        queries, keys, heads = g[AT.queries], g[AT.keys], g[AT.heads]
        of_batch, of_head = g[AT.bias_batch] != 0, g[AT.bias_head] != 0
        of_query, of_key = g[AT.bias_query] != 0, g[AT.bias_key] != 0
        tiles_down = g[AT.row_tiles] if of_query else 1
        tiles_across = g[AT.key_tiles] if of_key else 1
        rest = udiv(cuda.blockIdx.x, tiles_across)
        across = cuda.blockIdx.x - rest * tiles_across
        pair = udiv(rest, tiles_down)
        down = rest - pair * tiles_down
        own_batch = udiv(pair, heads) if of_head else pair
        own_head = pair - own_batch * heads if of_head else 0
        for i in range(16):
            sums[i] = zero
        for batch in range(own_batch, own_batch + 1 if of_batch else g[AT.batch]):
            for head in range(own_head, own_head + 1 if of_head else heads):
                for high in range(down, down + 1 if of_query else g[AT.row_tiles]):
                    for wide in range(across, across + 1 if of_key else g[AT.key_tiles]):
                        top, first = high * LINES, wide * LINES
                        if g[AT.causal] != 0 and top + LINES <= first:
                            continue  # nothing flows to what all queries are blind to
                        compute(
                            weights, grads, weights, factors, left, right, grad_y, query, key,
                            value, bias, mask, log_sum, row_sums, seed, numbers, g, batch, head,
                            top, first, thread,
                        )  # fmt: skip
                        for i in range(16):
                            sums[i] += grads[i]
        start = own_batch * g[AT.bias_batch] + own_head * g[AT.bias_head]
        if not of_key:  # one number for each row
            for i in range(4):
                sums[4 * i] = _sum_of_row(
                    sums[4 * i] + sums[4 * i + 1] + sums[4 * i + 2] + sums[4 * i + 3]
                )
        if of_query:
            for i in range(4):
                r = down * LINES + row + i
                for j in range(4):
                    c = across * LINES + column + j
                    if of_key and r < queries and c < keys:
                        at = start + r * g[AT.bias_query] + c * g[AT.bias_key]
                        grad_bias[at] = narrow(sums[4 * i + j])
                if not of_key and column == 0 and r < queries:
                    grad_bias[start + r * g[AT.bias_query]] = narrow(sums[4 * i])
            return
        lines = cuda.shared.array(ROWS_OF_SUMS, kind)
        for j in range(4):
            own = sums[j] + sums[4 + j] + sums[8 + j] + sums[12 + j]
            lines[(row // 4) * LINES + column + j] = own
        barrier()
        for c in range(thread, LINES if of_key else 1, SIDE * SIDE):
            total = zero
            for i in range(SIDE):
                total += lines[i * LINES + c]
            if across * LINES + c < keys:
                grad_bias[start + (across * LINES + c) * g[AT.bias_key]] = narrow(total)

    return attention_grad_bias


_GRAD_BIAS = {dtype: _grad_bias(dtype) for dtype in DTYPES}


@OWN.register
def attention_grad_bias(*arrays: Array, **static: Any) -> Array:
    """Gradient of `attention` by the bias, of its shape; arguments as in `nkeras_numpy`."""
    query, bias = arrays[2], arrays[5]
    if query.dtype.name not in DTYPES:
        return attention_grad_bias(*widened(arrays), **static).astype(bias.dtype)
    grad_bias = empty(bias.shape, bias.dtype)
    if not query.size:
        grad_bias.fill(0)
        return grad_bias
    call = call_of(arrays, static)
    batch, heads, queries, keys = bias.shape
    blocks = batch * heads * -(-queries // LINES) * -(-keys // LINES)
    call.launch(_GRAD_BIAS, blocks, grad_bias, chunks=1)
    return grad_bias
