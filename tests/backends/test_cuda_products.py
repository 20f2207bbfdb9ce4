"""Products of the CUDA backend: in the simulator, and what is chosen for which shape."""

import itertools

import pytest
from test_cuda_convolutions import simulated

from nkeras_numba_cuda.kernels.fragments import BFLOAT16, FLOAT32
from nkeras_numba_cuda.kernels.tile_choice import (
    BLOCKS,
    LARGE,
    SHORTEST_PART,
    SMALL,
    blocks,
    choose,
    fitting,
)


def test_kernels_in_the_simulator():
    result = simulated("cuda_product_checks.py")
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]


@pytest.mark.parametrize(
    ("batch", "rows", "columns", "inner", "tile", "splits"),
    [
        (1, 4096, 4096, 4096, LARGE, 1),
        (1, 1024, 1024, 1024, SMALL, 1),  # large tiles would be half as many as multiprocessors
        (64, 256, 256, 64, LARGE, 1),
        (64, 256, 64, 64, SMALL, 1),  # columns of a large tile would be idle
        (1, 32, 128, 784, SMALL, 3),
        (1, 784, 128, 32, SMALL, 1),
        (1, 10, 64, 60000, SMALL, 32),
        (1, 1, 4096, 4096, SMALL, 2),
    ],
)
def test_choice(batch, rows, columns, inner, tile, splits):
    chosen = choose(FLOAT32, batch, rows, columns, inner)
    assert chosen is not None
    assert (chosen.tile, chosen.splits) == (tile[4], splits)


def test_tiles_fit_into_the_memory_of_a_block():
    for arithmetic in (FLOAT32, BFLOAT16):
        chosen = choose(arithmetic, 1, 4096, 4096, 4096)
        assert chosen is not None
        assert fitting(chosen, arithmetic, 163 * 1024) == chosen
        small = fitting(chosen, arithmetic, 99 * 1024)
        assert small == chosen._replace(tile=SMALL[arithmetic.bytes])
        assert small.part % small.tile.inner == 0


def test_small_products_are_plain():
    assert choose(FLOAT32, 1, 16, 10, 16) is None
    assert choose(FLOAT32, 1, 4096, 4096, 4) is None


def test_parts_cover_the_sums():
    sizes = (1, 7, 64, 65, 1000, 20000)
    for arithmetic in (FLOAT32, BFLOAT16):
        for rows, columns, inner in itertools.product(sizes, sizes, sizes):
            chosen = choose(arithmetic, 1, rows, columns, inner)
            if chosen is None:
                continue
            tile, splits, part = chosen
            assert part % tile.inner == 0
            assert (splits - 1) * part < inner <= splits * part
            assert splits == 1 or part >= SHORTEST_PART
            assert splits * blocks(tile, 1, rows, columns) <= max(
                BLOCKS, blocks(tile, 1, rows, columns)
            )
