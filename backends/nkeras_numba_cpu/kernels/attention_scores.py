"""What the kernels of attention share: how a call is cut, and rows of scores.

Scores lie in blocks: some queries of one head, times some keys.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.simd import first_of, lanes_of, largest_of, load, select, splat, store
from nkeras_numba_cpu.emit.values import compiled
from nkeras_numba_cpu.emit.vector_math import functions
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.random import Key, fill_words, live_key
from nkeras_numba_cpu.loops.operands import compute_dtype, operand
from nkeras_numba_cpu.products.blocks import filled_up, kernels_for
from nkeras_numba_cpu.products.micro_kernel import micro_kernels

HIDDEN = -0.7  # times the largest number: the score of what is hidden, as in nkeras_numpy
_SHARES = 16  # tasks that the gradient is cut into, at least, where there are enough keys
_SPEED = 16  # multiplications of a vector instruction
_WEIGHT_WORK = 20  # simple operations for each weight, roughly

_inlined = functools.partial(inner, forceinline=True)
_tanh = compiled(lambda x: functions(x.kind.name)["tanh"](x))

Placed = tuple[np.ndarray, int, int, int, int]


class Sizes(NamedTuple):
    """Sizes of a call, and how it is cut."""

    batch: int
    queries: int
    keys: int
    heads: int
    groups: int  # heads that share keys and values
    size: int  # of a query and a key
    depth: int  # of a value
    rows: int  # of a block of scores
    block: int  # keys of a block of scores
    blocks: int  # of keys
    width: int  # of a panel of keys
    panels: int
    pitch: int  # from row to row of packed queries and keys
    deep: int  # from row to row of packed values
    shares: int  # tasks that the keys of a head are cut into, for the gradient
    causal: int


class Cut:
    """How a call is cut, and its other arguments as tasks take them.

    Attributes:
        blocks: of queries.
        rows: how many queries a block has, and the last one.
        columns: how many keys a block has, and the last one.
        limits: where the search for the largest score begins, and the score of what is hidden.
    """

    def __init__(
        self,
        query: np.ndarray,
        value: np.ndarray,
        bias: np.ndarray | None,
        mask: np.ndarray | None,
        largest: tuple[int, int],
        is_causal: bool,
    ) -> None:
        batch, queries, heads, size = query.shape
        _, keys, own, depth = value.shape
        self.dtype = compute_dtype(query.dtype)
        self.kernels = micro_kernels(self.dtype)
        self.by_size, self.by_depth = kernels_for(size, self.dtype), kernels_for(depth, self.dtype)
        most = self.kernels.rows * max(1, largest[0] // self.kernels.rows)
        rows = -(-queries // max(1, -(-queries // most)))
        self.blocks = -(-queries // max(1, rows))
        self.rows = rows, queries - (self.blocks - 1) * rows
        width = self.kernels.columns
        block = min(largest[1], -(-keys // width) * width)
        blocks = -(-keys // block)
        self.columns = min(block, keys), keys - (blocks - 1) * block
        self.sizes = Sizes(
            batch=batch,
            queries=queries,
            keys=keys,
            heads=heads,
            groups=heads // own,
            size=size,
            depth=depth,
            rows=rows,
            block=block,
            blocks=blocks,
            width=width,
            panels=-(-keys // width),
            pitch=filled_up(size, self.by_size),
            deep=filled_up(depth, self.by_depth),
            shares=min(-(-_SHARES // max(1, batch * own)), blocks),
            causal=int(is_causal),
        )
        self.bias = None if bias is None else _placed(operand(bias))
        self.mask = None if mask is None else _placed(operand(mask).view(np.uint8))
        limit = np.finfo(self.dtype).max
        self.limits = self.dtype.type(-limit), self.dtype.type(HIDDEN * limit)

    def work(self, products: int) -> int:
        """About how many operations so many products with all scores, and their weights, are."""
        of = self.sizes
        each = products * (of.size + of.depth) // _SPEED + _WEIGHT_WORK
        return of.batch * of.heads * of.queries * of.keys * each // (1 + of.causal)

    def cap(self, soft_cap: float | None) -> Any:
        """The cap as a number of the dtype."""
        return None if soft_cap is None else self.dtype.type(soft_cap)

    def noise(self, rate: float, seed: Key) -> tuple[Any, ...] | None:
        """Key of the random bits, the least of them that are kept, and the factor of weights."""
        if rate == 0:
            return None
        least = math.ceil(float(np.float32(rate)) * 2**24)
        return live_key(seed), least, self.dtype.type(1.0 / (1.0 - rate))


def _placed(x: np.ndarray) -> Placed:
    """An array `(batch, heads, queries, keys)`, and steps along its axes, 0 where it has one."""
    steps = [math.prod(x.shape[axis + 1 :]) * (x.shape[axis] > 1) for axis in range(4)]
    return x.reshape(-1), steps[0], steps[1], steps[2], steps[3]


@inner
def own_rows(task, sizes):
    """Which sample, head and queries a task owns: the number of the first one, and how many.

    Early rows have less to do where later keys are hidden: they alternate with late ones.
    """
    blocks = (sizes.queries + sizes.rows - 1) // sizes.rows
    head, block = task // blocks, task % blocks
    if sizes.causal:
        block = blocks - 1 - block // 2 if block % 2 else block // 2
    top = block * sizes.rows
    return head // sizes.heads, head % sizes.heads, top, min(sizes.rows, sizes.queries - top)


@_inlined
def finish(row, soft_cap, slopes, bias, mask, hidden, n, head, t, first):
    """Make scores of the products of query t with the keys from `first` on.

    `slopes` become those of the scores by the products, if it is not None.
    """
    if soft_cap is not None:
        for j in range(row.size):
            row[j] = _tanh(row[j] / soft_cap)
        if slopes is not None:
            for j in range(row.size):
                slopes[j] = 1 - row[j] * row[j]
        for j in range(row.size):
            row[j] *= soft_cap
    if bias is not None:
        values, of_n, of_head, of_t, of_key = bias
        at = n * of_n + head * of_head + t * of_t
        if of_key:
            more = part(values, at + first, row.size)
            for j in range(row.size):
                row[j] += more[j]
        else:
            for j in range(row.size):
                row[j] += values[at]
    if mask is not None:
        flags, of_n, of_head, of_t, of_key = mask
        at = n * of_n + head * of_head + t * of_t
        if of_key:
            seen = part(flags, at + first, row.size)
            for j in range(row.size):
                row[j] = row[j] if seen[j] else hidden
        elif not flags[at]:
            for j in range(row.size):
                row[j] = hidden


@inner
def room(count, lanes):
    """Elements of a row of scores, so that loops over four vectors at a time leave none over."""
    return (count + 4 * lanes - 1) // (4 * lanes) * 4 * lanes


@inner
def fill_up(row, seen):
    """Hide what stands behind the first scores: its weights are 0."""
    lanes = lanes_of(row)
    nothing = splat(row, -np.inf)
    for j in range(seen // lanes * lanes, row.size, lanes):
        store(row, j, first_of(load(row, j), seen - j, nothing))


@inner
def highest(row, high):
    """The largest of the scores and `high`. NaN is passed over: it shows in the sum of weights."""
    lanes = lanes_of(row)
    a = b = c = d = splat(row, high)
    for j in range(0, row.size, 4 * lanes):
        u, v = load(row, j), load(row, j + lanes)
        x, y = load(row, j + 2 * lanes), load(row, j + 3 * lanes)
        a, b, c, d = (
            select(u > a, u, a),
            select(v > b, v, b),
            select(x > c, x, c),
            select(y > d, y, d),
        )
    a, b = select(a > b, a, b), select(c > d, c, d)
    return largest_of(select(a > b, a, b))


@inner
def draw(noise, sizes, n, head, t, first, words, factors):
    """What dropout multiplies the weights of query t with, for the keys from `first` on."""
    key, least, scale = noise
    start = ((n * sizes.heads + head) * sizes.queries + t) * sizes.keys + first
    offset = start % 4
    fill_words(key, start // 4, part(words, 0, (offset + factors.size + 3) // 4 * 4))
    drawn = part(words, offset, factors.size)
    for j in range(factors.size):
        factors[j] = scale if (drawn[j] >> np.uint32(8)) >= least else 0
