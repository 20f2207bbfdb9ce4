"""Products by one kernel on tensor cores, whichever would be chosen for their shape."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import numpy as np

from nkeras.core import config
from nkeras_numba_cuda.kernels import fragments, products, tile_convolution
from nkeras_numba_cuda.kernels.fragments import Arithmetic
from nkeras_numba_cuda.kernels.tile_choice import LARGE, SMALL, Choice
from nkeras_numba_cuda.kernels.tiles import Tile
from nkeras_numba_cuda.launch import KERNELS, Kernel
from tests.ptx.backend import Session, interpreted

ARITHMETICS = (fragments.FLOAT32, fragments.TENSORFLOAT32, fragments.BFLOAT16, fragments.FLOAT16)
TILED = {
    products.product_name(arithmetic, tiles[arithmetic.bytes], layout): (
        arithmetic,
        tiles[arithmetic.bytes],
        layout,
    )
    for arithmetic in ARITHMETICS
    for tiles in (LARGE, SMALL)
    for layout in products.LAYOUTS
}
"""Those that the backend may choose."""

CONVOLUTIONS = {
    tile_convolution.kernel_name(product, arithmetic, tiles[arithmetic.bytes])
    for product in tile_convolution.PRODUCTS
    for arithmetic in ARITHMETICS
    for tiles in (LARGE, SMALL)
}
"""Those for convolutions."""

ELSEWHERE = {
    *TILED,
    *(f"sum_of_parts_{dtype}" for dtype in ("bfloat16", "float16")),
    *CONVOLUTIONS,
    *(f"conv_sum_of_parts_{dtype}" for dtype in tile_convolution.SUMS),
}
"""Kernels that `test_products.py` and `test_convolutions.py` launch."""

TINY = {4: Tile(16, 16, 16, 16, 16, 3), 2: Tile(16, 16, 32, 16, 16, 3)}
"""One warp for 16 x 16 numbers: as right as the others, and quick to compile."""


def tiled_product(
    x: np.ndarray,
    y: np.ndarray,
    layout: str = "nn",
    tile: Tile | None = None,
    splits: int = 1,
    seed: int = 0,
    precision: str = "float32",
    **after: Any,
) -> tuple[np.ndarray, Session]:
    """`dense(x, y)`, or `matmul` where nothing comes after it, and what was launched.

    Args:
        x: the left matrix, or several.
        y: the right matrix, or several.
        layout: which of them lie transposed in memory.
        tile: what a block computes; by default the tiny tile.
        splits: into how many parts sums are cut at most.
        seed: chooses the order of warps and blocks.
        precision: of float32.
        after: bias, addend and activation.
    """
    arithmetic = arithmetic_of(x.dtype.name, precision)
    tile = tile or TINY[arithmetic.bytes]
    inner = x.shape[-1]
    part = -(-inner // (splits * tile.inner)) * tile.inner
    chosen = Choice(tile, -(-inner // part), part)
    kept = config.matmul_precision()
    config.set_matmul_precision(precision)
    try:
        with (
            interpreted(seed=seed) as session,
            mock.patch.object(products, "choose", return_value=chosen),
            mock.patch.object(products, "product_kernel", kernel_for),
        ):
            left, right = _placed(session, x, layout[0]), _placed(session, y, layout[1])
            if after:
                terms = [_placed(session, after.get(name), "n") for name in ("bias", "addend")]
                dense = session.backend.kernels["dense"]
                z = dense(left, right, *terms, activation=after.get("activation", "linear"))
            else:
                z = session.backend.kernels["matmul"](left, right)
            return session.backend.to_numpy(z), session
    finally:
        config.set_matmul_precision(kept)


@functools.cache
def kernel_for(arithmetic: Arithmetic, tile: Tile, layout: str) -> Kernel:
    """The backend's kernel, or one with a tile of the tests, which stays out of the list."""
    name = products.product_name(arithmetic, tile, layout)
    if name in KERNELS:
        return KERNELS[name]
    made = products.declare(arithmetic, tile, layout)
    del KERNELS[name]
    return made


def arithmetic_of(dtype: str, precision: str) -> Arithmetic:
    """How numbers are multiplied."""
    name = precision if dtype == "float32" else dtype
    return next(one for one in ARITHMETICS if one.name == name)


def _placed(session: Session, array: np.ndarray | None, letter: str) -> Any:
    if array is None:
        return None
    if letter == "n":
        return session.backend.asarray(array, array.dtype.name)
    turned = np.ascontiguousarray(array.swapaxes(-1, -2))
    return session.backend.asarray(turned, array.dtype.name).swapaxes(-1, -2)
