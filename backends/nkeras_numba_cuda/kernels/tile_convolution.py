"""Convolutions on tensor cores: their kernels, which of them is taken, and launches.

Kernels are named by product, arithmetic and tile, as `conv_forward_float32_128x128`.
"""

from __future__ import annotations

import functools

import numpy as np

from nkeras_numba_cuda import memory
from nkeras_numba_cuda.kernels import convolution_sizes as sizes
from nkeras_numba_cuda.kernels import fragments, patches, products
from nkeras_numba_cuda.kernels.convolution_sizes import Convolution
from nkeras_numba_cuda.kernels.endings import ACTIVATIONS
from nkeras_numba_cuda.kernels.fragments import Arithmetic
from nkeras_numba_cuda.kernels.plain_products import HALVES
from nkeras_numba_cuda.kernels.products import as_bits
from nkeras_numba_cuda.kernels.tile_choice import (
    BLOCKS,
    LARGE,
    LEAST_WORK,
    SHORTEST_PART,
    SMALL,
    Choice,
    blocks,
    choose,
    fitting,
)
from nkeras_numba_cuda.kernels.tiles import Tile, shared_bytes, sum_kernel, tile_product
from nkeras_numba_cuda.launch import KERNELS, Kernel, kernel
from nkeras_numba_cuda.memory import Array, constants, empty

PRODUCTS = {
    "forward": (patches.patches, patches.lines_of_filters, sizes.forward),
    "backward_input": (patches.patches, patches.kernel_of_taps, sizes.backward_input),
    "backward_kernel": (
        patches.transposed_patches,
        patches.lines_of_filters,
        sizes.backward_kernel,
    ),
}
"""The left operand of each, the right one, and what their kernels read."""

NARROWEST = 8
"""Channels and filters of a group below which tensor cores would mostly multiply zeros."""
WAITING_BLOCKS = 264
"""So many blocks keep a large GPU busy while some of them wait."""
LONGEST_PART = 16384
"""Longer sums than this lose digits."""
MOST_PARTS = 64
"""More parts would take longer to be summed than they save."""


@functools.lru_cache(maxsize=4096)
def choice(arithmetic: Arithmetic, c: Convolution, name: str) -> Choice | None:
    """The tile of a product and the parts of its sums, by the shape alone; None for plain kernels.

    Args:
        arithmetic: how numbers are multiplied.
        c: the convolution.
        name: a product of `PRODUCTS`.
    """
    if c.groups > 1 and min(c.group_channels, c.group_filters) < NARROWEST:
        return None
    if not c.fits():
        return None
    numbers = PRODUCTS[name][2](c)
    shape = c.groups, numbers["rows"], numbers["columns"], numbers["inner"]
    if name == "backward_kernel":
        return _over_outputs(arithmetic, *shape)
    return choose(arithmetic, *shape)


def _over_outputs(
    arithmetic: Arithmetic, batch: int, rows: int, columns: int, inner: int
) -> Choice | None:
    """The choice for a kernel's gradient: few results, each the sum over all outputs."""
    if batch * rows * columns * inner < LEAST_WORK:
        return None
    large, small = LARGE[arithmetic.bytes], SMALL[arithmetic.bytes]
    most = max(1, min(inner // SHORTEST_PART, MOST_PARTS))
    fits = min(rows, columns) > small.rows and blocks(large, batch, rows, columns) * most >= BLOCKS
    tile = large if fits else small
    wanted = max(WAITING_BLOCKS // blocks(tile, batch, rows, columns), -(-inner // LONGEST_PART))
    part = -(-inner // (max(1, min(wanted, most)) * tile.inner)) * tile.inner
    return Choice(tile, -(-inner // part), part)


def run(
    name: str,
    arithmetic: Arithmetic,
    chosen: Choice,
    c: Convolution,
    z: Array,
    x: Array,
    y: Array,
    bias: Array | None = None,
    addend: Array | None = None,
    activation: str = "linear",
) -> Array:
    """Compute a product of a convolution.

    Args:
        name: a product of `PRODUCTS`.
        arithmetic: how numbers are multiplied.
        chosen: what `choice` gives.
        c: the convolution.
        z: the result, which is written.
        x: what has patches, contiguous.
        y: the other operand, contiguous.
        bias: contiguous `(filters,)`, or None.
        addend: contiguous, of the shape of the result, or None.
        activation: a name in `endings.ACTIVATIONS`.

    Returns:
        The result.
    """
    chosen = fitting(chosen, arithmetic, products.most_shared())
    has = bias is not None, addend is not None
    starts = memory.is_aligned(x), memory.is_aligned(y)
    g = numbers(name, arithmetic, chosen, c, *has, activation, *starts)
    given = [as_bits(x if one is None else one) for one in (x, y, bias, addend)]
    launched = KERNELS[kernel_name(name, arithmetic, chosen.tile)]
    grid = c.groups * g.splits * g.down * g.across
    if g.splits == 1:
        launched.launch_blocks(grid, as_bits(z), *given, constants(*g))
        return z
    parts = empty((c.groups, g.splits, g.rows, -(-g.columns // 4) * 4), np.float32)
    seen = parts if arithmetic.bytes == 4 else parts.view(np.uint16)
    launched.launch_blocks(grid, seen, *given, constants(*g))
    SUMS[arithmetic.dtype].launch(z.size, as_bits(z), parts, *given[2:], constants(*g))
    return z


@functools.lru_cache(maxsize=4096)
def numbers(
    name: str,
    arithmetic: Arithmetic,
    chosen: Choice,
    c: Convolution,
    has_bias: bool = False,
    has_addend: bool = False,
    activation: str = "linear",
    left_starts: bool = True,
    right_starts: bool = True,
) -> patches.Sizes:
    """What the kernel reads.

    Args:
        name: a product of `PRODUCTS`.
        arithmetic: how numbers are multiplied.
        chosen: what `choice` gives.
        c: the convolution.
        has_bias: whether there is one.
        has_addend: whether there is one.
        activation: a name in `endings.ACTIVATIONS`.
        left_starts: whether the left operand starts at a multiple of 16 bytes.
        right_starts: whether the right one does.
    """
    known = PRODUCTS[name][2](c)
    together = 16 // arithmetic.bytes
    lefts = known["depth"], known["channels"]
    rights = [known["right_step"], known["right_batch"], known.get("right_tap", 0)]
    if name == "backward_input":
        rights.append(known["depth"])  # a copy must not reach into the next tap
    return sizes.completed(
        known,
        down=-(-known["rows"] // chosen.tile.rows),
        across=-(-known["columns"] // chosen.tile.columns),
        splits=chosen.splits,
        part=chosen.part,
        bias=int(has_bias),
        addend=int(has_addend),
        activation=ACTIVATIONS.index(activation),
        left_aligned=int(left_starts and all(one % together == 0 for one in lefts)),
        right_aligned=int(right_starts and all(one % together == 0 for one in rights)),
    )


def kernel_name(name: str, arithmetic: Arithmetic, tile: Tile) -> str:
    """How a kernel is called in the list of kernels."""
    return f"conv_{name}_{arithmetic.name}_{tile.rows}x{tile.columns}"


def _declare(name: str, arithmetic: Arithmetic, tile: Tile) -> Kernel:
    """Make a kernel and put it into the list."""
    make_left, make_right, _ = PRODUCTS[name]
    left, right = make_left(tile, arithmetic), make_right(tile, arithmetic)
    stored = np.dtype(arithmetic.storage).name
    make = kernel(
        f"{', '.join([f'{stored}[::1]'] * 5)}, int64[::1]",
        threads=tile.threads,
        shared=shared_bytes(tile, arithmetic, left.inner_first, right.inner_first),
        warps=True,
    )
    function = tile_product(tile, arithmetic, left, right, patches.BY_GROUPS)
    function.__name__ = kernel_name(name, arithmetic, tile)
    return make(function)


SUMS = {
    dtype: sum_kernel(f"conv_sum_of_parts_{dtype}", dtype, patches.BY_GROUPS)
    for dtype in ("float32", *HALVES)
}

for _arithmetic in (
    fragments.FLOAT32,
    fragments.TENSORFLOAT32,
    fragments.BFLOAT16,
    fragments.FLOAT16,
):
    for _tile in (LARGE[_arithmetic.bytes], SMALL[_arithmetic.bytes]):
        for _name in PRODUCTS:
            _declare(_name, _arithmetic, _tile)
