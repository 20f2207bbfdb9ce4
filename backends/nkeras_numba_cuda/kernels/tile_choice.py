"""Which tile a product gets, and into how many parts its sums are cut: by its shape alone.

So that the same numbers come out on every GPU, the number of multiprocessors does not count.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from nkeras_numba_cuda.kernels.fragments import Arithmetic
from nkeras_numba_cuda.kernels.tiles import Tile, shared_bytes

LARGE = {4: Tile(128, 128, 32, 64, 32, 3), 2: Tile(128, 128, 64, 64, 32, 3)}
SMALL = {4: Tile(64, 64, 32, 32, 32, 3), 2: Tile(64, 64, 64, 32, 32, 3)}
"""Tiles by the bytes of a number."""

BLOCKS = 128
"""So many blocks keep a GPU busy."""
SHORTEST_PART = 256
MOST_SPLITS = 32
_EITHER = (False, True)
LEAST_WORK = 32 * 32 * 32
"""Products of numbers below which the plain kernel is used."""


class Choice(NamedTuple):
    """How a product is computed.

    Attributes:
        tile: what a block computes.
        splits: into how many parts the sums are cut; more than one are summed by a second kernel.
        part: length of a part.
    """

    tile: Tile
    splits: int
    part: int


@functools.lru_cache(maxsize=4096)
def choose(
    arithmetic: Arithmetic, batch: int, rows: int, columns: int, inner: int
) -> Choice | None:
    """The tile for products of `(rows, inner)` and `(inner, columns)`; None for the plain kernel.

    Args:
        arithmetic: how numbers are multiplied.
        batch: how many products.
        rows: of each result.
        columns: of each result.
        inner: length of the sums.
    """
    if batch * rows * columns * inner < LEAST_WORK or inner < 8:
        return None
    large, small = LARGE[arithmetic.bytes], SMALL[arithmetic.bytes]
    fits = min(rows, columns) > small.rows and blocks(large, batch, rows, columns) >= BLOCKS
    tile = large if fits else small
    splits = _splits(blocks(tile, batch, rows, columns), inner)
    part = -(-inner // (splits * tile.inner)) * tile.inner
    return Choice(tile, -(-inner // part), part)


@functools.lru_cache(maxsize=4096)
def fitting(chosen: Choice, arithmetic: Arithmetic, shared: int) -> Choice:
    """The choice, with a small tile where blocks may not have the memory for it.

    The numbers stay the same: both tiles add along the inner axis in one order.

    Args:
        chosen: by `choose`.
        arithmetic: how numbers are multiplied.
        shared: bytes of shared memory that a block may have: 99 kB on GPUs for desktops.
    """
    needed = max(shared_bytes(chosen.tile, arithmetic, a, b) for a in _EITHER for b in _EITHER)
    return chosen if needed <= shared else chosen._replace(tile=SMALL[arithmetic.bytes])


def blocks(tile: Tile, batch: int, rows: int, columns: int) -> int:
    """How many tiles the results have."""
    return batch * -(-rows // tile.rows) * -(-columns // tile.columns)


def _splits(given: int, inner: int) -> int:
    """So many parts that all multiprocessors work, none of them short."""
    wanted = BLOCKS // given
    return max(1, min(wanted, inner // SHORTEST_PART, MOST_SPLITS))
