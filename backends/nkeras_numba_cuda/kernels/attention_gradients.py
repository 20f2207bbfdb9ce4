"""Gradients of attention: the scores are computed again, tile by tile.

One kernel has a block for some queries, past which keys go, and sums the gradient of the queries.
Another has a block for some keys, past which all queries go that share them, and sums the
gradients of keys and values. So everything is summed in one order by one block. What both need of
each row, the sum of weighted gradients, is worked out before.

Dao, Fu, Ermon, Rudra, Re: FlashAttention: fast and memory-efficient exact attention with
IO-awareness (NeurIPS 2022).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cuda.cells import key_cell
from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.intrinsics import exponential, udiv, umod
from nkeras_numba_cuda.device.warps import WARP, barrier, sum_in_team
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
    Sizes,
    computed_in,
    functions,
    numbers_of,
    sizes_of,
    start_of,
)
from nkeras_numba_cuda.kernels.endings import narrowing, widening
from nkeras_numba_cuda.kernels.plain_products import HALVES
from nkeras_numba_cuda.kernels.products import as_bits
from nkeras_numba_cuda.kernels.recurrent import mask_or_nothing
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import THREADS, blocks_for
from nkeras_numba_cuda.launch import Kernel, kernel
from nkeras_numba_cuda.memory import Array, constants, contiguous, empty


def types_of(dtype: str, results: int) -> str:
    """The types of results, what flows back, inputs, and what else a gradient's kernel reads."""
    stored, computed = ("uint16" if dtype in HALVES else dtype), computed_in(dtype)
    arrays = ", ".join([f"{stored}[::1]"] * (results + 5))
    more = f"boolean[::1], {computed}[::1], {computed}[::1], uint32[::1], {computed}[::1]"
    return f"{arrays}, {more}, int64[::1]"


def _row_sums(dtype: str) -> Kernel:
    stored, computed = ("uint16" if dtype in HALVES else dtype), computed_in(dtype)
    widen, zero = widening(dtype), np.dtype(computed).type(0)

    @kernel(
        f"{computed}[::1], {stored}[::1], {stored}[::1], {computed}[::1], int64, int64[::1]",
        name=f"attention_row_sums_{dtype}",
        threads=THREADS,
    )
    def attention_row_sums(sums, grad_y, y, grad_log_sum, has_grad, g):
        shared = cuda.shared.array(WARP, sums.dtype)
        team = min(WARP, cuda.blockDim.x)
        together = udiv(cuda.blockDim.x, team)
        lane = umod(cuda.threadIdx.x, team)
        depth, heads, queries = g[AT.depth], g[AT.heads], g[AT.queries]
        for first in range(cuda.blockIdx.x * together, sums.size, cuda.gridDim.x * together):
            line = first + udiv(cuda.threadIdx.x, team)
            total = zero
            if line < sums.size:
                for j in range(line * depth + lane, (line + 1) * depth, team):
                    total += widen(grad_y[j]) * widen(y[j])
            total = sum_in_team(total, team, shared)
            if line < sums.size and lane == 0:
                above = udiv(line, heads)
                batch = udiv(above, queries)
                at = (batch * heads + (line - above * heads)) * queries + (above - batch * queries)
                sums[at] = total - grad_log_sum[at] if has_grad != 0 else total

    return attention_row_sums


@functools.cache
def tile_function(dtype: str, by_products: bool) -> Any:
    """A function that computes a tile of gradients by the scores, or by their products.

    It leaves the weights of values in `weights` and the gradients in `grads`.
    """
    kind = np.dtype(computed_in(dtype)).type
    zero, half = kind(0), kind(0.5)
    dot, _, score = functions(dtype, by_products)

    @inlined
    def compute(
        weights, grads, slopes, factors, left, right, grad_y, query, key, value, bias, mask,
        log_sum, row_sums, seed, numbers, g, batch, head, top, first, thread,
    ):  # fmt: skip
        row, column = 4 * (thread // SIDE), 4 * (thread % SIDE)
        queries, keys, heads = g[AT.queries], g[AT.keys], g[AT.heads]
        size, depth = g[AT.size], g[AT.depth]
        own, own_head = udiv(heads, g[AT.groups]), udiv(head, g[AT.groups])
        dot(
            grads,
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
            weights[i] = grads[i]
        score(
            weights,
            slopes,
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
        dot(
            grads,
            left,
            right,
            grad_y,
            start_of(batch, top, head, queries, heads, depth),
            heads * depth,
            queries - top,
            value,
            start_of(batch, first, own_head, keys, own, depth),
            own * depth,
            keys - first,
            depth,
            thread,
        )
        for i in range(4):
            r = top + row + i
            of_row = (batch * heads + head) * queries + min(r, queries - 1)
            total, from_row = log_sum[of_row], row_sums[of_row]
            is_hidden = total < numbers[OF.hidden] * half
            for j in range(4):
                at = 4 * i + j
                weight, grad = zero, zero
                if r < queries and first + column + j < keys:
                    weight = numbers[OF.even] if is_hidden else exponential(weights[at] - total)
                    if not is_hidden:
                        grad = weight * (grads[at] * factors[at] - from_row)
                        if by_products:
                            grad *= slopes[at] * numbers[OF.scale]
                    weight *= factors[at]
                weights[at] = weight
                grads[at] = grad

    return compute


def _grad_query(dtype: str) -> Kernel:
    kind = np.dtype(computed_in(dtype)).type
    zero = kind(0)
    compute, weigh, narrow = (
        tile_function(dtype, True),
        functions(dtype, True).weigh,
        narrowing(dtype),
    )

    @kernel(types_of(dtype, 1), name=f"attention_grad_query_{dtype}", threads=SIDE * SIDE)
    def attention_grad_query(
        grad_query, grad_y, query, key, value, bias, mask, log_sum, row_sums, seed, numbers, g
    ):
        left = cuda.shared.array(PANEL, kind, ALIGNMENT)
        right = cuda.shared.array(PANEL, kind, ALIGNMENT)
        tile = cuda.shared.array(TILE, kind, ALIGNMENT)
        weights = cuda.local.array(16, kind)
        grads = cuda.local.array(16, kind)
        slopes = cuda.local.array(16, kind)
        factors = cuda.local.array(16, kind)
        sums = cuda.local.array(16, kind)
        thread = cuda.threadIdx.x
        row, column = 4 * (thread // SIDE), 4 * (thread % SIDE)
        queries, keys, heads, size = g[AT.queries], g[AT.keys], g[AT.heads], g[AT.size]
        rest = udiv(cuda.blockIdx.x, g[AT.chunks])
        from_column = (cuda.blockIdx.x - rest * g[AT.chunks]) * LINES
        pair = udiv(rest, g[AT.row_tiles])
        top = (g[AT.row_tiles] - 1 - (rest - pair * g[AT.row_tiles])) * LINES
        batch = udiv(pair, heads)
        head = pair - batch * heads
        own, own_head = udiv(heads, g[AT.groups]), udiv(head, g[AT.groups])
        for i in range(16):
            sums[i] = zero
        end = min(keys, top + LINES) if g[AT.causal] != 0 else keys
        for first in range(0, end, LINES):
            compute(
                weights, grads, slopes, factors, left, right, grad_y, query, key, value, bias,
                mask, log_sum, row_sums, seed, numbers, g, batch, head, top, first, thread,
            )  # fmt: skip
            for i in range(4):
                for j in range(4):
                    tile[(column + j) * STEP + row + i] = grads[4 * i + j]
            barrier()
            weigh(
                sums,
                tile,
                right,
                key,
                start_of(batch, first, own_head, keys, own, size),
                own * size,
                keys - first,
                from_column,
                size,
                thread,
            )
        for i in range(4):
            start = start_of(batch, top + row + i, head, queries, heads, size)
            for j in range(4):
                c = from_column + column + j
                if top + row + i < queries and c < size:
                    grad_query[start + c] = narrow(sums[4 * i + j])

    return attention_grad_query


def _grad_key(dtype: str) -> Kernel:
    kind = np.dtype(computed_in(dtype)).type
    zero, half = kind(0), kind(0.5)
    compute, weigh, narrow = (
        tile_function(dtype, True),
        functions(dtype, True).weigh,
        narrowing(dtype),
    )

    @kernel(types_of(dtype, 2), name=f"attention_grad_key_{dtype}", threads=SIDE * SIDE)
    def attention_grad_key(
        grad_key, grad_value, grad_y, query, key, value, bias, mask, log_sum, row_sums, seed,
        numbers, g,
    ):  # fmt: skip
        left = cuda.shared.array(PANEL, kind, ALIGNMENT)
        right = cuda.shared.array(PANEL, kind, ALIGNMENT)
        tile = cuda.shared.array(TILE, kind, ALIGNMENT)
        weights = cuda.local.array(16, kind)
        grads = cuda.local.array(16, kind)
        slopes = cuda.local.array(16, kind)
        factors = cuda.local.array(16, kind)
        of_key = cuda.local.array(16, kind)
        of_value = cuda.local.array(16, kind)
        thread = cuda.threadIdx.x
        row, column = 4 * (thread // SIDE), 4 * (thread % SIDE)
        queries, keys, heads = g[AT.queries], g[AT.keys], g[AT.heads]
        size, depth, groups = g[AT.size], g[AT.depth], g[AT.groups]
        own = udiv(heads, groups)
        rest = udiv(cuda.blockIdx.x, g[AT.chunks])
        from_column = (cuda.blockIdx.x - rest * g[AT.chunks]) * LINES
        pair = udiv(rest, g[AT.key_tiles])
        first = (rest - pair * g[AT.key_tiles]) * LINES
        batch = udiv(pair, own)
        own_head = pair - batch * own
        may_hide = g[AT.has_mask] != 0 or g[AT.has_bias] != 0
        for i in range(16):
            of_key[i], of_value[i] = zero, zero
        for turn in range(groups * g[AT.row_tiles]):
            group = udiv(turn, g[AT.row_tiles])
            head, top = own_head * groups + group, (turn - group * g[AT.row_tiles]) * LINES
            if g[AT.causal] != 0 and top + LINES <= first:  # queries of which none sees these keys
                if not may_hide:
                    continue
                lowest = zero
                for line in range(top, min(top + LINES, queries)):
                    lowest = min(lowest, log_sum[(batch * heads + head) * queries + line])
                if lowest >= numbers[OF.hidden] * half:
                    continue
            compute(
                weights, grads, slopes, factors, left, right, grad_y, query, key, value, bias,
                mask, log_sum, row_sums, seed, numbers, g, batch, head, top, first, thread,
            )  # fmt: skip
            if from_column < depth:
                for i in range(4):
                    for j in range(4):
                        tile[(row + i) * STEP + column + j] = weights[4 * i + j]
                barrier()
                weigh(
                    of_value,
                    tile,
                    right,
                    grad_y,
                    start_of(batch, top, head, queries, heads, depth),
                    heads * depth,
                    queries - top,
                    from_column,
                    depth,
                    thread,
                )
            if from_column < size:
                for i in range(4):
                    for j in range(4):
                        tile[(row + i) * STEP + column + j] = grads[4 * i + j]
                barrier()
                weigh(
                    of_key,
                    tile,
                    right,
                    query,
                    start_of(batch, top, head, queries, heads, size),
                    heads * size,
                    queries - top,
                    from_column,
                    size,
                    thread,
                )
        for i in range(4):
            line = first + row + i
            if line < keys:
                key_start = start_of(batch, line, own_head, keys, own, size)
                value_start = start_of(batch, line, own_head, keys, own, depth)
                for j in range(4):
                    c = from_column + column + j
                    if c < size:
                        grad_key[key_start + c] = narrow(of_key[4 * i + j])
                    if c < depth:
                        grad_value[value_start + c] = narrow(of_value[4 * i + j])

    return attention_grad_key


_ROW_SUMS = {dtype: _row_sums(dtype) for dtype in DTYPES}
_GRAD_QUERY = {dtype: _grad_query(dtype) for dtype in DTYPES}
_GRAD_KEY = {dtype: _grad_key(dtype) for dtype in DTYPES}


class Call(NamedTuple):
    """What the kernels of gradients get besides what they write.

    Attributes:
        dtype: of the arrays.
        sizes: the integers.
        arguments: all but the last one.
    """

    dtype: str
    sizes: Sizes
    arguments: list[Any]

    def launch(self, kernels: dict[str, Kernel], blocks: int, *results: Array, chunks: int) -> None:
        """Launch the kernel for the dtype with blocks that share columns of the results."""
        sizes = self.sizes._replace(chunks=chunks)
        kernels[self.dtype].launch_blocks(
            blocks * chunks, *map(as_bits, results), *self.arguments, constants(*sizes)
        )


def call_of(arrays: tuple[Array, ...], static: dict[str, Any]) -> Call:
    """Work out what all gradients need."""
    grad_y, grad_log_sum, query, key, value, bias, mask, y, log_sum = arrays
    dtype = query.dtype.name
    settings = {name: static[name] for name in ("is_causal", "soft_cap", "rate")}
    sizes = sizes_of(query, value, bias, mask, 1, **settings)
    row_sums = empty(log_sum.shape, log_sum.dtype)
    given = row_sums if grad_log_sum is None else contiguous(grad_log_sum)
    _ROW_SUMS[dtype].launch_blocks(
        blocks_for(row_sums.size, WARP),
        row_sums,
        as_bits(contiguous(grad_y)),
        as_bits(contiguous(y)),
        given,
        int(grad_log_sum is not None),
        constants(*sizes),
    )
    wanted = grad_y, query, key, value, bias
    numbers = static["scale"], static["soft_cap"], static["rate"]
    arguments = [
        *[as_bits(contiguous(query if x is None else x)) for x in wanted],
        mask_or_nothing(mask),
        contiguous(log_sum),
        row_sums,
        key_cell(static["seed"]),
        numbers_of(dtype, sizes.keys, *numbers),
    ]
    return Call(dtype, sizes, arguments)


def widened(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    """Half types as float32."""
    return tuple(
        x.astype(np.float32) if x is not None and x.dtype.name in HALVES else x for x in arrays
    )


@OWN.register
def attention_grad(*arrays: Array, **static: Any) -> tuple[Array, Array, Array]:
    """Gradients of `attention` by query, key and value; arguments as in `nkeras_numpy`."""
    query, key, value = arrays[2:5]
    if query.dtype.name not in DTYPES:  # half types, where the target has none
        return tuple(x.astype(query.dtype) for x in attention_grad(*widened(arrays), **static))
    results = tuple(empty(x.shape, x.dtype) for x in (query, key, value))
    if not query.size:
        for grad in results:
            grad.fill(0)
        return results
    call = call_of(arrays, static)
    sizes = call.sizes
    lines = sizes.batch * sizes.heads
    by_size, by_depth = -(-sizes.size // LINES), -(-sizes.depth // LINES)
    call.launch(_GRAD_QUERY, lines * sizes.row_tiles, results[0], chunks=by_size)
    own = lines // sizes.groups * sizes.key_tiles
    call.launch(_GRAD_KEY, own, *results[1:], chunks=max(by_size, by_depth))
    return results
