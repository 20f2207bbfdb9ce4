"""Gradients of attention by blocks of scores, whose weights are made again.

A task owns some keys of one head, or of the heads that share them: it adds up the gradients of its
keys and values while blocks of queries pass by. Those of the queries it adds up in memory of its
own; where several tasks have the same queries, these are added at the end, in the order of the
tasks. A task of the bias' gradient owns some rows of the bias.
"""

from __future__ import annotations

import functools

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.records import numbers, record
from nkeras_numba_cpu.emit.simd import address_of, lanes_of
from nkeras_numba_cpu.emit.vector_math import decay, subtract
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.attention_scores import Cut, Sizes, draw, fill_up, finish, room
from nkeras_numba_cpu.kernels.random import Key
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import fill
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products.blocks import (
    ADD,
    multiply,
    pack_columns,
    pack_rows,
    table_for,
    tiles_of,
)

_KEYS, _QUERIES = 256, 84  # of a block

_summing = functools.partial(inner, fastmath={"contract", "reassoc", "nsz"})


@KERNELS.register
def attention_grad(
    grad_y: np.ndarray,
    grad_log_sum: np.ndarray | None,
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    bias: np.ndarray | None,
    mask: np.ndarray | None,
    y: np.ndarray,
    log_sum: np.ndarray,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients by query, key and value."""
    cut = Cut(query, value, bias, mask, (_QUERIES, _KEYS), is_causal)
    sizes, dtype = cut.sizes, cut.dtype
    grads = [empty(x.shape, dtype) for x in (query, key, value)]
    if query.size == 0:
        for grad in grads[1:]:
            fill(grad, 0)
    else:
        shares = empty(
            (sizes.shares * sizes.batch * sizes.heads * sizes.queries, sizes.pitch), dtype
        )
        given, number = numbers(sizes), dtype.type(scale)
        flat = [grad.reshape(-1) for grad in grads]
        _attend_back(
            sizes.batch * sizes.heads // sizes.groups * sizes.shares, cut.work(3), given,
            table_for(cut.kernels, *cut.rows), tiles_of(cut.kernels, dtype),
            table_for(cut.by_size, *cut.rows, *cut.columns), tiles_of(cut.by_size, dtype),
            table_for(cut.by_depth, *cut.columns), tiles_of(cut.by_depth, dtype),
            number, cut.limits[1], cut.cap(soft_cap), cut.noise(rate, seed),
            *_inputs(cut, grad_y, grad_log_sum, query, key, value, y, log_sum),
            shares.reshape(-1), *flat[1:],
        )  # fmt: skip
        work = shares.size
        _add_shares(sizes.batch * sizes.heads * cut.blocks, work, given, number, shares, flat[0])
    return (
        stored(grads[0], query.dtype),
        stored(grads[1], query.dtype),
        stored(grads[2], query.dtype),
    )


@KERNELS.register
def attention_grad_bias(
    grad_y: np.ndarray,
    grad_log_sum: np.ndarray | None,
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    bias: np.ndarray,
    mask: np.ndarray | None,
    y: np.ndarray,
    log_sum: np.ndarray,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> np.ndarray:
    """Gradient by the bias, of its shape."""
    cut = Cut(query, value, bias, mask, (_QUERIES, _KEYS), is_causal)
    grad_bias = empty(bias.shape, cut.dtype)
    if query.size == 0:
        fill(grad_bias, 0)
        return stored(grad_bias, bias.dtype)
    own = bias.shape[0], bias.shape[1], cut.blocks if bias.shape[2] > 1 else 1
    _bias_back(
        own[0] * own[1] * own[2], cut.work(2), numbers(cut.sizes), own,
        table_for(cut.kernels, *cut.rows), tiles_of(cut.kernels, cut.dtype),
        cut.dtype.type(scale), cut.limits[1], cut.cap(soft_cap), cut.noise(rate, seed),
        *_inputs(cut, grad_y, grad_log_sum, query, key, value, y, log_sum), grad_bias.reshape(-1),
    )  # fmt: skip
    return stored(grad_bias, bias.dtype)


def _inputs(
    cut: Cut,
    grad_y: np.ndarray,
    grad_log_sum: np.ndarray | None,
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    y: np.ndarray,
    log_sum: np.ndarray,
) -> tuple[object, ...]:
    """What the tasks of the gradients read."""
    grad, q, k, v, result = (operand(x).reshape(-1) for x in (grad_y, query, key, value, y))
    sums = operand(log_sum).reshape(-1)
    grad_sums = None if grad_log_sum is None else operand(grad_log_sum).reshape(-1)
    return grad, grad_sums, q, k, v, cut.bias, cut.mask, result, sums


@tasks(reassociate=True)
def _attend_back(
    task, given, of_scores, tiles, of_sizes, size_tiles, of_depths, depth_tiles,
    scale, hidden, soft_cap, noise, grad_y, grad_log_sum, query, key, value, bias, mask, y, log_sum,
    shares, grad_key, grad_value,
):  # fmt: skip
    sizes = record(Sizes, given)
    own, groups = sizes.heads // sizes.groups, sizes.groups
    pair, share = task // sizes.shares, task % sizes.shares
    n, head = pair // own, pair % own
    size, depth, pitch, deep = sizes.size, sizes.depth, sizes.pitch, sizes.deep
    block, lanes = sizes.block, lanes_of(query)
    line = room(block, lanes) + lanes
    wide = (block + sizes.width - 1) // sizes.width * sizes.width
    memory = allocate(
        query.dtype,
        block * (2 * pitch + deep + 2)
        + wide * (size + depth)
        + sizes.rows * (pitch + deep + 2 * line),
    )
    words = allocate(np.uint32, block + 8)
    at = 0
    keys, at = part(memory, at, block * pitch), at + block * pitch
    grad_keys, at = part(memory, at, block * pitch), at + block * pitch
    grad_values, at = part(memory, at, block * deep), at + block * deep
    key_columns, at = part(memory, at, wide * size), at + wide * size
    value_columns, at = part(memory, at, wide * depth), at + wide * depth
    queries, at = part(memory, at, sizes.rows * pitch), at + sizes.rows * pitch
    grads, at = part(memory, at, sizes.rows * deep), at + sizes.rows * deep
    scores, at = part(memory, at, sizes.rows * line), at + sizes.rows * line
    grad_scores, at = part(memory, at, sizes.rows * line), at + sizes.rows * line
    factors, slopes = part(memory, at, block), part(memory, at + block, block)
    one = query.dtype.type(1)
    first_row = (share * sizes.batch + n) * sizes.heads + head * groups
    mine = part(shares, first_row * sizes.queries * pitch, groups * sizes.queries * pitch)
    for j in range(mine.size):
        mine[j] = 0
    for b in range(
        share * sizes.blocks // sizes.shares, (share + 1) * sizes.blocks // sizes.shares
    ):
        first = b * block
        count = min(block, sizes.keys - first)
        place = (n * sizes.keys + first) * own + head
        pack_rows(key, place * size, own * size, count, size, one, keys, pitch)
        pack_columns(key, place * size, own * size, count, size, key_columns, sizes.width)
        pack_columns(value, place * depth, own * depth, count, depth, value_columns, sizes.width)
        for j in range(grad_keys.size):
            grad_keys[j] = 0
        for j in range(grad_values.size):
            grad_values[j] = 0
        for of_group in range(0, groups * sizes.queries, sizes.queries):
            h = head * groups + of_group // sizes.queries
            sums = part(log_sum, (n * sizes.heads + h) * sizes.queries, sizes.queries)
            for top in range(0, sizes.queries, sizes.rows):
                rows = min(sizes.rows, sizes.queries - top)
                if sizes.causal and top + rows <= first:
                    if mask is None or not _any_hidden(part(sums, top, rows), hidden):
                        continue
                source = (n * sizes.queries + top) * sizes.heads + h
                step = sizes.heads * size
                pack_rows(query, source * size, step, rows, size, scale, queries, pitch)
                step = sizes.heads * depth
                pack_rows(grad_y, source * depth, step, rows, depth, one, grads, deep)
                multiply(
                    of_scores, tiles, rows, count, size,
                    (address_of(queries, 0), pitch, 1),
                    (address_of(key_columns, 0), sizes.width * size, sizes.width),
                    (address_of(scores, 0), line), 0,
                )  # fmt: skip
                multiply(
                    of_scores, tiles, rows, count, depth,
                    (address_of(grads, 0), deep, 1),
                    (address_of(value_columns, 0), sizes.width * depth, sizes.width),
                    (address_of(grad_scores, 0), line), 0,
                )  # fmt: skip
                for i in range(rows):
                    base = _base(grad_y, y, (source + i * sizes.heads) * depth, depth)
                    if grad_log_sum is not None:
                        base -= grad_log_sum[(n * sizes.heads + h) * sizes.queries + top + i]
                    weights, grad = (
                        part(scores, i * line, room(count, lanes)),
                        part(grad_scores, i * line, room(count, lanes)),
                    )
                    _weigh(
                        weights, grad, base, sums[top + i], sizes, soft_cap, slopes, noise, words,
                        part(factors, 0, count), bias, mask, hidden, n, h, top + i, first,
                    )  # fmt: skip
                    if soft_cap is not None:
                        for j in range(count):
                            grad[j] *= slopes[j]
                multiply(
                    of_depths, depth_tiles, count, depth, rows,
                    (address_of(scores, 0), 1, line),
                    (address_of(grads, 0), depth_tiles[1], deep),
                    (address_of(grad_values, 0), deep), ADD,
                )  # fmt: skip
                multiply(
                    of_sizes, size_tiles, count, size, rows,
                    (address_of(grad_scores, 0), 1, line),
                    (address_of(queries, 0), size_tiles[1], pitch),
                    (address_of(grad_keys, 0), pitch), ADD,
                )  # fmt: skip
                multiply(
                    of_sizes, size_tiles, rows, size, count,
                    (address_of(grad_scores, 0), line, 1),
                    (address_of(keys, 0), size_tiles[1], pitch),
                    (address_of(mine, (of_group + top) * pitch), pitch), ADD,
                )  # fmt: skip
        for i in range(count):
            place = (n * sizes.keys + first + i) * own + head
            target, result = part(grad_key, place * size, size), part(grad_keys, i * pitch, size)
            for j in range(size):
                target[j] = result[j]
            target = part(grad_value, place * depth, depth)
            result = part(grad_values, i * deep, depth)
            for j in range(depth):
                target[j] = result[j]
    release(words)
    release(memory)


@inner
def _any_hidden(sums, hidden):
    """Whether a row has nothing but hidden scores."""
    found = False
    for i in range(sums.size):
        found = found or 2 * sums[i] < hidden
    return found


@_summing
def _base(grad_y, y, at, depth):
    """The sum of a row's weights times their gradients: that of its result times its gradient."""
    grad, result = part(grad_y, at, depth), part(y, at, depth)
    total = y.dtype.type(0)
    for j in range(depth):
        total += grad[j] * result[j]
    return total


@inner
def _weigh(
    weights, grad, base, log_sum, sizes, soft_cap, slopes, noise, words, factors,
    bias, mask, hidden, n, head, t, first,
):  # fmt: skip
    """Make weights of the products in a row, and gradients by scores of those by weights."""
    count = factors.size
    if noise is not None:
        draw(noise, sizes, n, head, t, first, words, factors)
        for j in range(count):
            grad[j] *= factors[j]
    seen = min(count, max(0, t + 1 - first)) if sizes.causal else count
    finish(part(weights, 0, count), soft_cap, slopes, bias, mask, hidden, n, head, t, first)
    if mask is not None and 2 * log_sum < hidden:
        share = grad.dtype.type(1) / sizes.keys
        for j in range(count):
            weights[j], grad[j] = share, 0
    else:
        fill_up(weights, seen)
        for j in range(weights.size):
            weights[j] = decay(subtract(weights[j], log_sum))
            grad[j] = weights[j] * (grad[j] - base)
    if noise is not None:
        for j in range(count):
            weights[j] *= factors[j]


@tasks
def _add_shares(task, given, scale, shares, grad_query):
    """The gradients of some queries: those of all tasks together, times the scale."""
    sizes = record(Sizes, given)
    blocks = (sizes.queries + sizes.rows - 1) // sizes.rows
    pair, top = task // blocks, task % blocks * sizes.rows
    apart = sizes.batch * sizes.heads * sizes.queries
    for i in range(top, min(top + sizes.rows, sizes.queries)):
        place = (pair // sizes.heads * sizes.queries + i) * sizes.heads + pair % sizes.heads
        target = part(grad_query, place * sizes.size, sizes.size)
        source = shares[pair * sizes.queries + i]
        for j in range(sizes.size):
            target[j] = source[j]
        for share in range(1, sizes.shares):
            source = shares[share * apart + pair * sizes.queries + i]
            for j in range(sizes.size):
                target[j] += source[j]
        for j in range(sizes.size):
            target[j] *= scale


@tasks
def _bias_back(
    task, given, own, of_scores, tiles, scale, hidden, soft_cap, noise,
    grad_y, grad_log_sum, query, key, value, bias, mask, y, log_sum, grad_bias,
):  # fmt: skip
    sizes = record(Sizes, given)
    block = task % own[2]
    n, head = task // own[2] // own[1], task // own[2] % own[1]
    _, of_n, of_head, of_t, of_key = bias
    top = block * sizes.rows
    # Of an axis that the bias has, the task owns a part; of another one it adds up all.
    samples = (n, n + 1) if own[0] > 1 else (0, sizes.batch)
    heads = (head, head + 1) if own[1] > 1 else (0, sizes.heads)
    queries = (top, min(top + sizes.rows, sizes.queries)) if of_t else (0, sizes.queries)
    size, depth, pitch, deep = sizes.size, sizes.depth, sizes.pitch, sizes.deep
    lanes = lanes_of(query)
    line = room(sizes.block, lanes) + lanes
    wide = (sizes.block + sizes.width - 1) // sizes.width * sizes.width
    memory = allocate(
        query.dtype,
        2 * sizes.block + wide * (size + depth) + sizes.rows * (pitch + deep + 2 * line),
    )
    words = allocate(np.uint32, sizes.block + 8)
    key_columns, at = part(memory, 0, wide * size), wide * size
    value_columns, at = part(memory, at, wide * depth), at + wide * depth
    packed, at = part(memory, at, sizes.rows * pitch), at + sizes.rows * pitch
    grads, at = part(memory, at, sizes.rows * deep), at + sizes.rows * deep
    scores, at = part(memory, at, sizes.rows * line), at + sizes.rows * line
    grad_scores, at = part(memory, at, sizes.rows * line), at + sizes.rows * line
    factors, slopes = part(memory, at, sizes.block), part(memory, at + sizes.block, sizes.block)
    one = query.dtype.type(1)
    for t in range(queries[0], queries[1] if of_t else queries[0] + 1):
        target = part(grad_bias, n * of_n + head * of_head + t * of_t, sizes.keys if of_key else 1)
        for j in range(target.size):
            target[j] = 0
    for sample in range(samples[0], samples[1]):
        for h in range(heads[0], heads[1]):
            sums = part(log_sum, (sample * sizes.heads + h) * sizes.queries, sizes.queries)
            for first in range(0, sizes.keys, sizes.block):
                count = min(sizes.block, sizes.keys - first)
                own_heads = sizes.heads // sizes.groups
                place = (sample * sizes.keys + first) * own_heads + h // sizes.groups
                at, step = place * size, own_heads * size
                pack_columns(key, at, step, count, size, key_columns, sizes.width)
                at, step = place * depth, own_heads * depth
                pack_columns(value, at, step, count, depth, value_columns, sizes.width)
                for top in range(queries[0], queries[1], sizes.rows):
                    rows = min(sizes.rows, sizes.queries - top)
                    if sizes.causal and top + rows <= first:
                        continue
                    source = (sample * sizes.queries + top) * sizes.heads + h
                    step = sizes.heads * size
                    pack_rows(query, source * size, step, rows, size, scale, packed, pitch)
                    step = sizes.heads * depth
                    pack_rows(grad_y, source * depth, step, rows, depth, one, grads, deep)
                    multiply(
                        of_scores, tiles, rows, count, size,
                        (address_of(packed, 0), pitch, 1),
                        (address_of(key_columns, 0), sizes.width * size, sizes.width),
                        (address_of(scores, 0), line), 0,
                    )  # fmt: skip
                    multiply(
                        of_scores, tiles, rows, count, depth,
                        (address_of(grads, 0), deep, 1),
                        (address_of(value_columns, 0), sizes.width * depth, sizes.width),
                        (address_of(grad_scores, 0), line), 0,
                    )  # fmt: skip
                    for i in range(rows):
                        base = _base(grad_y, y, (source + i * sizes.heads) * depth, depth)
                        if grad_log_sum is not None:
                            base -= grad_log_sum[
                                (sample * sizes.heads + h) * sizes.queries + top + i
                            ]
                        weights, grad = (
                            part(scores, i * line, room(count, lanes)),
                            part(grad_scores, i * line, room(count, lanes)),
                        )
                        _weigh(
                            weights, grad, base, sums[top + i], sizes, soft_cap, slopes, noise,
                            words, part(factors, 0, count), bias, mask, hidden, sample, h, top + i,
                            first,
                        )  # fmt: skip
                        at = n * of_n + head * of_head + (top + i) * of_t
                        if of_key:
                            target = part(grad_bias, at + first, count)
                            for j in range(count):
                                target[j] += grad[j]
                        else:
                            for j in range(count):
                                grad_bias[at] += grad[j]
    release(words)
    release(memory)
