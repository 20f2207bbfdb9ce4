"""What the kernels of attention share: tiles of scores, and products of tiles with what they weigh.

A block of `SIDE * SIDE` threads has a tile of scores, `LINES` queries of one head times as many
keys, of which each thread keeps 4 x 4 in registers. The simulator has one thread, and tiles of
4 x 4. The same functions compute the tile's two products: rows of numbers that stand in device
memory pass through panels in shared memory, `DEPTH` of them at a time.

What is hidden has a very small score, as in `nkeras_numpy`, so that a row with nothing else has
equal weights.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, TARGET
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.intrinsics import hyperbolic_tangent
from nkeras_numba_cuda.device.records import places
from nkeras_numba_cuda.device.vectors import load_4
from nkeras_numba_cuda.device.warps import barrier
from nkeras_numba_cuda.kernels.endings import widening
from nkeras_numba_cuda.kernels.plain_products import HALVES
from nkeras_numba_cuda.kernels.random import DIGITS, philox
from nkeras_numba_cuda.memory import Array, constant
from nkeras_numpy.attention import HIDDEN

SIDE = 1 if SIMULATOR else 16
LINES = 4 * SIDE
DEPTH = min(8, LINES)
STEP = LINES + 4  # of rows in shared memory, as in `plain_products`
PANEL, TILE = STEP * DEPTH, STEP * LINES
ALIGNMENT = None if SIMULATOR else 32  # of arrays in shared memory: four numbers at once
_THREADS, _TURNS = SIDE * SIDE, LINES * DEPTH // (SIDE * SIDE)

DTYPES = ("float32", "float64", *(HALVES if TARGET == "numba-cuda" else ()))
"""Those that there are kernels for; the other target has no numbers of 16 bits."""


class Sizes(NamedTuple):
    """The integers of a call.

    Steps are distances along the axes of bias and mask, 0 where they have one element; `least` is
    the smallest number of 24 bits whose weight dropout keeps; `own` how many scores a thread has.
    """

    batch: int
    queries: int
    keys: int
    heads: int
    groups: int
    size: int
    depth: int
    row_tiles: int
    key_tiles: int
    chunks: int
    causal: int
    capped: int
    dropped: int
    least: int
    has_bias: int
    bias_batch: int
    bias_head: int
    bias_query: int
    bias_key: int
    has_mask: int
    mask_batch: int
    mask_head: int
    mask_query: int
    mask_key: int
    own: int = 16


AT = places(Sizes)


class Numbers(NamedTuple):
    """The floating numbers of a call: `hidden` is the score of what a mask hides."""

    scale: float
    cap: float
    factor: float
    hidden: float
    lowest: float
    even: float


OF = places(Numbers)


def computed_in(dtype: str) -> str:
    """The dtype of scores."""
    return "float32" if dtype in HALVES else dtype


def sizes_of(
    query: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    columns: int,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
) -> Sizes:
    """The integers of a call.

    Args:
        query: `(batch, queries, heads, size)`.
        value: `(batch, keys, own_heads, depth)`.
        bias: of four axes, or None.
        mask: likewise.
        columns: of the results, which blocks share.
        is_causal: whether later keys are hidden.
        soft_cap: the cap, or None.
        rate: of dropout.
    """
    batch, queries, heads, size = query.shape
    keys, own, depth = value.shape[1:]
    of_bias, of_mask = _steps(bias), _steps(mask)
    return Sizes(
        batch=batch,
        queries=queries,
        keys=keys,
        heads=heads,
        groups=heads // own,
        size=size,
        depth=depth,
        row_tiles=-(-queries // LINES),
        key_tiles=-(-keys // LINES),
        chunks=-(-columns // LINES),
        causal=int(is_causal),
        capped=int(soft_cap is not None),
        dropped=int(rate > 0),
        least=math.ceil(float(np.float32(rate)) * 2**24),
        has_bias=int(bias is not None),
        bias_batch=of_bias[0],
        bias_head=of_bias[1],
        bias_query=of_bias[2],
        bias_key=of_bias[3],
        has_mask=int(mask is not None),
        mask_batch=of_mask[0],
        mask_head=of_mask[1],
        mask_query=of_mask[2],
        mask_key=of_mask[3],
    )


def _steps(x: Array | None) -> list[int]:
    if x is None:
        return [0] * 4
    return [math.prod(x.shape[axis + 1 :]) * (x.shape[axis] > 1) for axis in range(4)]


def numbers_of(dtype: str, keys: int, scale: float, soft_cap: float | None, rate: float) -> Array:
    """The floating numbers of a call on the device, in the dtype of scores."""
    kind = np.dtype(computed_in(dtype))
    most = float(np.finfo(kind).max)
    numbers = Numbers(scale, soft_cap or 1.0, 1.0 / (1.0 - rate), HIDDEN * most, -most, 1.0 / keys)
    with np.errstate(all="ignore"):
        return constant(np.array(numbers, kind).tobytes(), (len(numbers),), kind.name)


@inlined
def _four_elements(array, index):
    return array[index], array[index + 1], array[index + 2], array[index + 3]


four_of = load_4 if TARGET == "numba-cuda" else _four_elements


class Functions(NamedTuple):
    """Functions on a tile, compiled into a kernel; `thread` is that of the block.

    Attributes:
        dot: `(sums, left, right, x, x_start, x_step, x_lines, y, y_start, y_step, y_lines, size,
            thread)`: the products of lines of x and lines of y.
        weigh: `(sums, tile, right, x, start, step, lines, column, columns, thread)`: add the lines
            of x, weighted by those of the tile.
        score: `(scores, slopes, factors, bias, mask, seed, numbers, g, batch, head, query, key)`:
            make scores of the thread's products of queries and keys from those numbers on, minus
            infinity where there are none. `factors` is what dropout multiplies weights with.
    """

    dot: Any
    weigh: Any
    score: Any


@functools.cache
def functions(dtype: str, has_slopes: bool) -> Functions:
    """The functions for arrays of a dtype.

    Args:
        dtype: of query, key and value.
        has_slopes: whether scores leave their slopes by the products behind, which a cap bends.
    """
    widen = widening(dtype)
    kind = np.dtype(computed_in(dtype)).type
    zero, one, nothing = kind(0), kind(1), kind(-np.inf)

    @inlined
    def multiply(sums, tile, at, right, thread):
        row, column = 4 * (thread // SIDE), 4 * (thread % SIDE)
        for k in range(DEPTH):
            a, b = four_of(tile, at + k * STEP + row), four_of(right, k * STEP + column)
            for i in range(4):
                for j in range(4):
                    sums[4 * i + j] += a[i] * b[j]

    @inlined
    def load_lines(panel, x, start, step, lines, k, size, thread):
        for turn in range(_TURNS):
            number = turn * _THREADS + thread
            line, place = number // DEPTH, number % DEPTH
            loaded = zero
            if line < lines and k + place < size:
                loaded = widen(x[start + line * step + k + place])
            panel[place * STEP + line] = loaded

    @inlined
    def dot(
        sums, left, right, x, x_start, x_step, x_lines, y, y_start, y_step, y_lines, size, thread
    ):
        for i in range(16):
            sums[i] = zero
        for k in range(0, size, DEPTH):
            load_lines(left, x, x_start, x_step, x_lines, k, size, thread)
            load_lines(right, y, y_start, y_step, y_lines, k, size, thread)
            barrier()
            multiply(sums, left, 0, right, thread)
            barrier()

    @inlined
    def weigh(sums, tile, right, x, start, step, lines, column, columns, thread):
        for first in range(0, LINES, DEPTH):
            for turn in range(_TURNS):
                number = turn * _THREADS + thread
                line, place = number // LINES, number % LINES
                loaded = zero
                if first + line < lines and column + place < columns:
                    loaded = widen(x[start + (first + line) * step + column + place])
                right[line * STEP + place] = loaded
            barrier()
            multiply(sums, tile, first * STEP, right, thread)
            barrier()

    @inlined
    def score(scores, slopes, factors, bias, mask, seed, numbers, g, batch, head, query, key):
        pair = batch * g[AT.heads] + head
        of_bias = batch * g[AT.bias_batch] + head * g[AT.bias_head]
        of_mask = batch * g[AT.mask_batch] + head * g[AT.mask_head]
        for at in range(g[AT.own]):  # a number from memory: written out, the code is too long
            r, c = query + (at >> 2), key + (at & 3)
            x = scores[at] * numbers[OF.scale]
            slope = one
            if g[AT.capped] != 0:
                bent = hyperbolic_tangent(x / numbers[OF.cap])
                slope = one - bent * bent
                x = bent * numbers[OF.cap]
            if r < g[AT.queries] and c < g[AT.keys]:
                if g[AT.has_bias] != 0:
                    x += widen(bias[of_bias + r * g[AT.bias_query] + c * g[AT.bias_key]])
                if g[AT.has_mask] != 0:
                    if not mask[of_mask + r * g[AT.mask_query] + c * g[AT.mask_key]]:
                        x = numbers[OF.hidden]
                if g[AT.causal] != 0 and c > r:
                    x = numbers[OF.hidden]
            else:
                x = nothing
            scores[at] = x
            if has_slopes:
                slopes[at] = slope
            factor = one
            if g[AT.dropped] != 0:
                place = (pair * g[AT.queries] + r) * g[AT.keys] + c
                words = philox(place >> 2, seed[0], seed[1])
                first = words[0] if place & 1 == 0 else words[1]
                second = words[2] if place & 1 == 0 else words[3]
                word = first if place & 2 == 0 else second
                is_kept = np.int64(word >> DIGITS) >= g[AT.least]
                factor = numbers[OF.factor] if is_kept else zero
            factors[at] = factor

    return Functions(dot, weigh, score)


@inlined
def start_of(batch, line, head, lines, heads, size):
    """Where a line of one head begins in an array `(batch, lines, heads, size)`."""
    return ((batch * lines + line) * heads + head) * size


__all__ = [
    "ALIGNMENT",
    "AT",
    "DTYPES",
    "LINES",
    "OF",
    "PANEL",
    "SIDE",
    "STEP",
    "TILE",
    "Functions",
    "computed_in",
    "functions",
    "numbers_of",
    "sizes_of",
    "start_of",
]
