"""Products of matrices: which kernel computes one, and its launch.

Kernels on tensor cores are named by arithmetic, layout and tile, as `product_float32_nt_64x64`: `n`
stands for a matrix that lies in memory as it is multiplied, `t` for a transposed one.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from nkeras.core import config
from nkeras_numba_cuda import memory
from nkeras_numba_cuda.cuda import SIMULATOR, TARGET, cuda
from nkeras_numba_cuda.kernels import fragments, matrices, plain_products
from nkeras_numba_cuda.kernels.endings import ACTIVATIONS
from nkeras_numba_cuda.kernels.fragments import Arithmetic
from nkeras_numba_cuda.kernels.plain_products import HALVES, PLAIN, SIDE
from nkeras_numba_cuda.kernels.tile_choice import LARGE, SMALL, Choice, choose, fitting
from nkeras_numba_cuda.kernels.tiles import Tile, shared_bytes, sum_kernel, tile_product
from nkeras_numba_cuda.launch import KERNELS, Kernel, kernel
from nkeras_numba_cuda.memory import Array, constants, empty

LAYOUTS = ("nn", "nt", "tn")
TENSOR_CORES = (8, 0)
"""The compute capability from which GPUs copy beside their work and multiply these dtypes."""


class Matrix(NamedTuple):
    """A matrix, or a batch of them, in contiguous memory.

    Attributes:
        array: the memory, as a contiguous array.
        rows: of each matrix.
        columns: of each matrix.
        transposed: whether columns, not rows, follow each other in memory.
        batch: distance of two matrices in numbers; 0 where there is one for all.
    """

    array: Array
    rows: int
    columns: int
    transposed: bool
    batch: int

    @property
    def step(self) -> int:
        """Distance of what follows each other: rows, or columns of a transposed matrix."""
        return self.rows if self.transposed else self.columns


def product(
    x: Matrix,
    y: Matrix,
    batch: int,
    bias: Array | None = None,
    addend: Array | None = None,
    activation: str = "linear",
) -> Array:
    """`activation(x @ y + bias + addend)` for each matrix of a batch, as `(batch, rows, columns)`.

    Args:
        x: the left matrix, of a dtype in `plain_products.PLAIN`.
        y: the right matrix, of the same dtype.
        batch: how many products.
        bias: contiguous `(columns,)`, or None.
        addend: contiguous, of the size of the result, or None.
        activation: a name in `endings.ACTIVATIONS`.
    """
    dtype = x.array.dtype
    z = empty((batch, x.rows, y.columns), dtype)
    if z.size == 0:
        return z
    arithmetic = arithmetic_for(dtype.name)
    chosen = None if arithmetic is None else choose(arithmetic, batch, *_sizes(x, y))
    given = [x.array, y.array, *(x.array if one is None else one for one in (bias, addend))]
    after = int(bias is not None), int(addend is not None), ACTIVATIONS.index(activation)
    if arithmetic is None or chosen is None:
        sizes = plain_sizes(x, y, *after)
        blocks = batch * sizes.down * sizes.across
        PLAIN[dtype.name].launch_blocks(blocks, *map(as_bits, (z, *given)), constants(*sizes))
        return z
    chosen = fitting(chosen, arithmetic, most_shared())
    sizes = tile_sizes(arithmetic, chosen, x, y, *after)
    launched = product_kernel(arithmetic, chosen.tile, layout(x, y))
    blocks = batch * sizes.splits * sizes.down * sizes.across
    if sizes.splits == 1:
        launched.launch_blocks(blocks, *map(as_bits, (z, *given)), constants(*sizes))
        return z
    parts = empty((batch, sizes.splits, sizes.rows, _padded(sizes.columns)), np.float32)
    seen = parts if arithmetic.bytes == 4 else parts.view(np.uint16)
    launched.launch_blocks(blocks, seen, *map(as_bits, given), constants(*sizes))
    sum_up = SUMS[dtype.name]
    sum_up.launch(z.size, *map(as_bits, (z, parts, *given[2:])), constants(*sizes))
    return z


def layout(x: Matrix, y: Matrix) -> str:
    """How the matrices lie in memory, as two letters."""
    return ("t" if x.transposed else "n") + ("t" if y.transposed else "n")


def arithmetic_for(dtype: str) -> Arithmetic | None:
    """How tensor cores multiply numbers of a dtype here; None where they don't."""
    if not has_tensor_cores():
        return None
    if dtype == "float32":
        is_exact = config.matmul_precision() == "float32"
        return fragments.FLOAT32 if is_exact else fragments.TENSORFLOAT32
    return {"bfloat16": fragments.BFLOAT16, "float16": fragments.FLOAT16}.get(dtype)


def has_tensor_cores() -> bool:
    """Whether the current device has those that these kernels need; the simulator has none.

    Kernels for them are made of LLVM IR, which only numba-cuda takes.
    """
    if SIMULATOR or TARGET != "numba-cuda":
        return False
    return _capability_of(cuda.get_current_device().id) >= TENSOR_CORES


@functools.cache
def _capability_of(number: int) -> tuple[int, int]:
    """For the current device, which has this number."""
    return tuple(cuda.get_current_device().compute_capability)


def most_shared() -> int:
    """Bytes of shared memory that a block may have on the current device."""
    return _most_shared_of(cuda.get_current_device().id)


@functools.cache
def _most_shared_of(number: int) -> int:
    """For the current device, which has this number."""
    return cuda.get_current_device().MAX_SHARED_MEMORY_PER_BLOCK_OPTIN


def tile_sizes(
    arithmetic: Arithmetic,
    chosen: Choice,
    x: Matrix,
    y: Matrix,
    bias: int = 0,
    addend: int = 0,
    activation: int = 0,
) -> matrices.Sizes:
    """What the kernel on tensor cores reads."""
    after = bias, addend, activation
    lines = x.step, x.batch, _is_aligned(x, arithmetic), y.step, y.batch, _is_aligned(y, arithmetic)
    return _tile_sizes(chosen, _sizes(x, y), after, lines)


@functools.lru_cache(maxsize=4096)
def _tile_sizes(
    chosen: Choice, sizes: tuple[int, int, int], after: tuple[int, ...], lines: tuple[int, ...]
) -> matrices.Sizes:
    """The record, from rows, columns and inner axis, what follows, and how matrices lie."""
    tile, splits, part = chosen
    tiles = -(-sizes[0] // tile.rows), -(-sizes[1] // tile.columns)
    return matrices.Sizes._make((*sizes, *tiles, splits, part, *after, *lines))


def plain_sizes(
    x: Matrix, y: Matrix, bias: int = 0, addend: int = 0, activation: int = 0
) -> plain_products.Sizes:
    """What the plain kernel reads."""
    rows, columns, inner = _sizes(x, y)
    return plain_products.Sizes(
        rows=rows,
        columns=columns,
        inner=inner,
        down=-(-rows // (4 * SIDE)),
        across=-(-columns // (4 * SIDE)),
        bias=bias,
        addend=addend,
        activation=activation,
        left_batch=x.batch,
        left_row=1 if x.transposed else x.step,
        left_inner=x.step if x.transposed else 1,
        right_batch=y.batch,
        right_inner=1 if y.transposed else y.step,
        right_column=y.step if y.transposed else 1,
    )


def _sizes(x: Matrix, y: Matrix) -> tuple[int, int, int]:
    return x.rows, y.columns, x.columns


def _is_aligned(x: Matrix, arithmetic: Arithmetic) -> int:
    """Whether each row (or column) starts where a copy of 16 bytes may."""
    together = 16 // arithmetic.bytes
    is_regular = x.step % together == 0 and x.batch % together == 0
    return int(is_regular and memory.is_aligned(x.array))


def _padded(columns: int) -> int:
    return -(-columns // 4) * 4


def as_bits(array: Array) -> Array:
    """The array as kernels see it: half types as integers."""
    return array.view(np.uint16) if array.dtype.itemsize == 2 else array


def product_kernel(arithmetic: Arithmetic, tile: Tile, layout: str) -> Kernel:
    """The kernel that multiplies matrices so."""
    return KERNELS[product_name(arithmetic, tile, layout)]


def declare(arithmetic: Arithmetic, tile: Tile, layout: str) -> Kernel:
    """Make that kernel and put it into the list of kernels.

    Args:
        arithmetic: how numbers are multiplied.
        tile: what a block computes.
        layout: how matrices lie in memory, one of `LAYOUTS`.
    """
    left_inner_first, right_inner_first = layout[0] == "n", layout[1] == "t"
    stored = np.dtype(arithmetic.storage).name
    make = kernel(
        f"{', '.join([f'{stored}[::1]'] * 5)}, int64[::1]",
        threads=tile.threads,
        shared=shared_bytes(tile, arithmetic, left_inner_first, right_inner_first),
        warps=True,
    )
    left = matrices.left_matrix(tile, arithmetic, left_inner_first)
    right = matrices.right_matrix(tile, arithmetic, right_inner_first)
    function = tile_product(tile, arithmetic, left, right)
    function.__name__ = product_name(arithmetic, tile, layout)
    return make(function)


def product_name(arithmetic: Arithmetic, tile: Tile, layout: str) -> str:
    """How the kernel is called."""
    return f"product_{arithmetic.name}_{layout}_{tile.rows}x{tile.columns}"


SUMS = {
    dtype: sum_kernel(f"sum_of_parts_{dtype}", dtype)
    for dtype in ("float32", *HALVES)
    if dtype in PLAIN
}

for _arithmetic in (
    fragments.FLOAT32,
    fragments.TENSORFLOAT32,
    fragments.BFLOAT16,
    fragments.FLOAT16,
):
    for _tile in (LARGE[_arithmetic.bytes], SMALL[_arithmetic.bytes]):
        for _layout in LAYOUTS:
            declare(_arithmetic, _tile, _layout)
