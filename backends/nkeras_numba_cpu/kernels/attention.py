"""Scaled dot-product attention by blocks: the matrix of scores is never whole.

A task owns some queries of one head. Blocks of keys pass by: their scores, which lie in its cache,
are made weights relative to the largest score so far, and the sum of weighted values is corrected
when a larger one comes. What is kept for each row is the logarithm of the sum of its exponentials.

Milakov, Gimelshein: Online normalizer calculation for softmax (2018). Dao, Fu, Ermon, Rudra, Re:
FlashAttention: fast and memory-efficient exact attention with IO-awareness (NeurIPS 2022).
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.records import numbers, record
from nkeras_numba_cpu.emit.simd import address_of, lanes_of, load, splat, store_first
from nkeras_numba_cpu.emit.vector_math import decay, log, subtract
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.attention_scores import (
    Cut,
    Sizes,
    draw,
    fill_up,
    finish,
    highest,
    own_rows,
    room,
)
from nkeras_numba_cpu.kernels.random import Key
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
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

_KEYS, _QUERIES = 512, 70  # of a block
_NEAR = 2048  # bytes from key to key, up to which values are read where they lie


@KERNELS.register
def attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    bias: np.ndarray | None,
    mask: np.ndarray | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted values, and the logarithm of softmax's sum for each row."""
    cut = Cut(query, value, bias, mask, (_QUERIES, _KEYS), is_causal)
    sizes, dtype = cut.sizes, cut.dtype
    y = empty((*query.shape[:3], sizes.depth), dtype)
    log_sum = empty((sizes.batch, sizes.heads, sizes.queries), dtype)
    if y.size == 0:
        return stored(y, query.dtype), log_sum
    heads = sizes.batch * sizes.heads // sizes.groups
    keys = empty((heads * sizes.panels * cut.kernels.columns * sizes.size,), dtype)
    arrays = [operand(x).reshape(-1) for x in (query, key, value)]
    given, values = numbers(sizes), arrays[2]
    is_ready = sizes.depth == sizes.deep and value.shape[2] * sizes.depth * dtype.itemsize <= _NEAR
    if not is_ready:
        values = empty((heads * sizes.keys * sizes.deep,), dtype)
    # Elements from sample to sample, from head to head, from key to key.
    lines = value.shape[2] * sizes.depth, sizes.depth
    steps = (
        (sizes.keys * lines[0], lines[1], lines[0])
        if is_ready
        else (heads // sizes.batch * sizes.keys * sizes.deep, sizes.keys * sizes.deep, sizes.deep)
    )
    target = None if is_ready else values
    _pack(heads * sizes.blocks, keys.size + values.size, given, *arrays[1:], keys, target)
    _attend(
        sizes.batch * sizes.heads * cut.blocks, cut.work(1), given, steps,
        table_for(cut.kernels, *cut.rows), tiles_of(cut.kernels, dtype),
        table_for(cut.by_depth, *cut.rows), tiles_of(cut.by_depth, dtype),
        dtype.type(scale), cut.limits, cut.cap(soft_cap), cut.noise(rate, seed),
        arrays[0], keys, values, cut.bias, cut.mask, y.reshape(-1), log_sum.reshape(-1),
    )  # fmt: skip
    return stored(y, query.dtype), log_sum


@tasks
def _pack(task, given, key, value, keys, values):
    """The keys of a block as columns in panels, its values as rows."""
    sizes = record(Sizes, given)
    own = sizes.heads // sizes.groups
    head, first = task // sizes.blocks, task % sizes.blocks * sizes.block
    count = min(sizes.block, sizes.keys - first)
    line = (head // own * sizes.keys + first) * own + head % own
    place = (head * sizes.panels * sizes.width + first) * sizes.size
    columns = (count + sizes.width - 1) // sizes.width * sizes.width
    target = part(keys, place, columns * sizes.size)
    at, step = line * sizes.size, own * sizes.size
    pack_columns(key, at, step, count, sizes.size, target, sizes.width)
    if values is not None:
        target = part(values, (head * sizes.keys + first) * sizes.deep, count * sizes.deep)
        at, step = line * sizes.depth, own * sizes.depth
        pack_rows(value, at, step, count, sizes.depth, value.dtype.type(1), target, sizes.deep)


@tasks(reassociate=True)
def _attend(
    task, given, steps, of_scores, tiles, of_values, value_tiles, scale, limits, soft_cap, noise,
    query, keys, values, bias, mask, y, log_sum,
):  # fmt: skip
    sizes = record(Sizes, given)
    lowest, hidden = limits
    n, head, top, rows = own_rows(task, sizes)
    size, deep, line = sizes.size, sizes.deep, room(sizes.block, lanes_of(query)) + lanes_of(query)
    memory = allocate(query.dtype, rows * (sizes.pitch + line + deep + 2) + sizes.block)
    words = allocate(np.uint32, sizes.block + 8)
    packed = part(memory, 0, rows * sizes.pitch)
    scores = part(memory, packed.size, rows * line)
    sums = part(memory, packed.size + scores.size, rows * deep)
    rest = packed.size + scores.size + sums.size
    largest, total = part(memory, rest, rows), part(memory, rest + rows, rows)
    factors = part(memory, rest + 2 * rows, sizes.block)
    at = ((n * sizes.queries + top) * sizes.heads + head) * size
    pack_rows(query, at, sizes.heads * size, rows, size, scale, packed, sizes.pitch)
    for i in range(rows):
        largest[i], total[i] = lowest, 0
    pair, of_group = (n * sizes.heads + head) // sizes.groups, head // sizes.groups
    start, value_row = n * steps[0] + of_group * steps[1], steps[2]
    stop = min(sizes.keys, top + rows) if sizes.causal else sizes.keys
    for first in range(0, stop, sizes.block):
        count = min(sizes.block, stop - first)
        place = (pair * sizes.panels * sizes.width + first) * size
        multiply(
            of_scores, tiles, rows, count, size,
            (address_of(packed, 0), sizes.pitch, 1),
            (address_of(keys, place), sizes.width * size, sizes.width),
            (address_of(scores, 0), line), 0,
        )  # fmt: skip
        for i in range(rows):
            t, row = top + i, part(scores, i * line, room(count, lanes_of(query)))
            seen = min(count, max(0, t + 1 - first)) if sizes.causal else count
            finish(part(row, 0, count), soft_cap, None, bias, mask, hidden, n, head, t, first)
            fill_up(row, seen)
            high, added = highest(row, largest[i]), query.dtype.type(0)
            for j in range(row.size):
                row[j] = decay(subtract(row[j], high))
                added += row[j]
            if first > 0:
                factor = decay(subtract(largest[i], high))
                added += total[i] * factor
                if factor != 1:
                    old = part(sums, i * deep, deep)
                    for j in range(deep):
                        old[j] *= factor
            largest[i], total[i] = high, added
            if noise is not None:
                draw(noise, sizes, n, head, t, first, words, part(factors, 0, count))
                for j in range(count):
                    row[j] *= factors[j]
        multiply(
            of_values, value_tiles, rows, sizes.depth, count,
            (address_of(scores, 0), line, 1),
            (address_of(values, start + first * value_row), value_tiles[1], value_row),
            (address_of(sums, 0), deep), ADD if first else 0,
        )  # fmt: skip
    for i in range(rows):
        t, sum_ = top + i, part(sums, i * deep, deep)
        if mask is not None and largest[i] <= hidden and total[i] > 0:
            total[i] = sizes.keys
            place = start, value_row
            _average(values, place, noise, sizes, n, head, t, words, factors, sum_)
        place = ((n * sizes.queries + t) * sizes.heads + head) * sizes.depth
        inverse = splat(y, query.dtype.type(1) / total[i])
        for j in range(0, sizes.depth, lanes_of(y)):
            store_first(y, place + j, load(sums, i * deep + j) * inverse, sizes.depth - j)
    logarithms = part(log_sum, (n * sizes.heads + head) * sizes.queries + top, rows)
    for i in range(rows):
        logarithms[i] = log(total[i])
    for i in range(rows):
        logarithms[i] += largest[i]
    release(words)
    release(memory)


@inner
def _average(values, place, noise, sizes, n, head, t, words, factors, sums):
    """The sum of all values, for a row whose scores are all hidden."""
    depth = sizes.depth
    for j in range(depth):
        sums[j] = 0
    for first in range(0, sizes.keys, sizes.block):
        count = min(sizes.block, sizes.keys - first)
        if noise is not None:
            draw(noise, sizes, n, head, t, first, words, part(factors, 0, count))
        for s in range(count):
            value = part(values, place[0] + (first + s) * place[1], depth)
            if noise is not None:
                for j in range(depth):
                    sums[j] += value[j] * factors[s]
            else:
                for j in range(depth):
                    sums[j] += value[j]
