"""Operands of convolutions on tensor cores, as Python: what threads copy, and what `read` finds.

Copies to shared memory are copies between NumPy arrays here, and a block's threads follow each
other. `test_cuda_convolutions.py` runs this file in a process that has the simulator.
"""

import itertools

import numpy as np
import pytest
from kernel_calls import normal

from nkeras_numba_cuda.kernels import convolution_sizes as sizes
from nkeras_numba_cuda.kernels import matrices, patches
from nkeras_numba_cuda.kernels.fragments import FLOAT32
from nkeras_numba_cuda.kernels.matrices import Fields, matrix
from nkeras_numba_cuda.kernels.patches import inverse_of
from nkeras_numba_cuda.kernels.tiles import Tile, panel
from nkeras_numpy.kernels import KERNELS

TILE = Tile(rows=64, columns=64, inner=16, warp_rows=32, warp_columns=32, stages=3)
POISON = 1e30


@pytest.fixture(autouse=True)
def copies(monkeypatch):
    """Copies that happen at once."""

    def copy(size):
        def run(shared, to, array, index, count):
            numbers, given = size // array.itemsize, int(count) // array.itemsize
            assert index % (size // array.itemsize) == 0 or size == 4
            assert given == 0 or 0 <= index <= array.size - given
            shared[to : to + numbers] = 0
            shared[to : to + given] = array[index : index + given]

        return run

    class Block:
        class blockDim:
            x = TILE.threads

    for module in (patches, matrices):
        monkeypatch.setattr(module, "copy_16", copy(16))
        monkeypatch.setattr(module, "copy_4", copy(4))
        monkeypatch.setattr(module, "cuda", Block)
    monkeypatch.setattr(matrices, "copy_all_16", lambda *given: copy(16)(*given, 16))


def assembled(operand, size, array, g, arithmetic, first, count, batch):
    """The whole matrix (lines of the operand, inner axis), from panels, and by `read`."""
    place = panel(size, TILE.inner, operand.inner_first, arithmetic)
    columns = []
    kept = [[0] * operand.numbers for _ in range(TILE.threads)]
    for thread in range(TILE.threads):
        operand.prepare(kept[thread], g, batch, first, thread)
    end = int(g[patches.AT.inner])
    for k in range(0, end, TILE.inner):
        shared = np.full(8 + place.size, POISON if arithmetic is FLOAT32 else 7, array.dtype)
        for thread in range(TILE.threads):
            operand.copy(shared, 8, array, kept[thread], g, k, end, thread)
        rows = shared[8:].reshape(place.lines, place.step)[:, : place.length]
        columns.append(rows if operand.inner_first else rows.T)
    whole = np.concatenate(columns, axis=1)
    for line, k in itertools.product(range(0, count, 7), range(0, end, 5)):
        wide = operand.read(array, g, batch, first + line, k)
        if arithmetic is FLOAT32:
            assert wide == whole[line, k]
    return whole[:, :end], whole[count:], whole[:, end:]


# Spatial sizes, window, strides, padding, dilation, channels, filters, groups.
CASES = [
    ((5, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 4, 8, 1),
    ((7, 6), (3, 2), (2, 3), ((1, 1), (0, 1)), (1, 1), 4, 4, 1),
    ((7, 6), (3, 2), (1, 2), ((2, 2), (0, 3)), (2, 2), 8, 8, 2),
    ((9,), (4,), (2,), ((3, 0),), (3,), 8, 12, 1),
    ((3, 4, 3), (2, 2, 2), (1, 2, 1), ((0, 0), (1, 1), (0, 1)), (1, 1, 2), 4, 4, 1),
    ((8, 8), (3, 3), (2, 2), ((0, 1), (0, 1)), (1, 1), 3, 10, 1),  # the stem
    ((4, 4), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 6, 10, 2),
]


@pytest.mark.parametrize("case", CASES)
def test_products_of_operands_are_convolutions(case):
    spatial, window, strides, padding, dilation, channels, filters, groups = case
    settings = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    x = normal(2, *spatial, channels, dtype="float32")
    kernel = normal(*window, channels // groups, filters, seed=1, dtype="float32")
    y = KERNELS["conv"](x, kernel, **settings)
    grad_y = normal(*y.shape, seed=2, dtype="float32")
    c = sizes.convolution(x.shape, kernel.shape, strides, padding, dilation, groups)
    assert c.outputs * filters == y.size
    left = Tile(*TILE)
    fields = Fields(
        patches.AT.columns, patches.AT.right_step, patches.AT.right_batch, patches.AT.right_aligned
    )
    plain = matrix(TILE.columns, TILE, FLOAT32, False, fields)
    products = [
        (sizes.forward(c), patches.patches(left, FLOAT32), plain, x, kernel, y),
        (
            sizes.backward_input(c),
            patches.patches(left, FLOAT32),
            patches.kernel_of_taps(TILE, FLOAT32),
            grad_y,
            kernel,
            KERNELS["conv_grad_input"](grad_y, kernel, input_shape=x.shape, **settings),
        ),
        (
            sizes.backward_kernel(c),
            patches.transposed_patches(left, FLOAT32),
            plain,
            x,
            grad_y,
            KERNELS["conv_grad_kernel"](x, grad_y, kernel_shape=kernel.shape, **settings),
        ),
    ]
    for numbers, one, other, a, b, expected in products:
        in_fours = numbers["depth"] % 4 == 0 and numbers["channels"] % 4 == 0
        result = np.full(expected.size, np.nan)
        g = sizes.completed(
            numbers,
            left_aligned=int(in_fours),
            right_aligned=int(numbers["right_step"] % 4 == 0 and numbers["right_batch"] % 4 == 0),
        )
        for batch, row, column in itertools.product(
            range(groups), range(0, g.rows, TILE.rows), range(0, g.columns, TILE.columns)
        ):
            height, width = min(g.rows - row, TILE.rows), min(g.columns - column, TILE.columns)
            p, below, behind = assembled(one, TILE.rows, a.ravel(), g, FLOAT32, row, height, batch)
            assert not below.any()
            assert not behind.any()
            q, below, behind = assembled(
                other, TILE.columns, b.ravel(), g, FLOAT32, column, width, batch
            )
            assert not below.any()
            assert not behind.any()
            total = p.astype("float64") @ q.T.astype("float64")
            for r, s in itertools.product(range(height), range(width)):
                result[batch * g.batch_step + (row + r) * g.row_step + column + s] = total[r, s]
        np.testing.assert_allclose(result, expected.ravel(), rtol=2e-5, atol=2e-5)


def test_inverses_divide_exactly():
    generator = np.random.default_rng(0)
    for divisor in (1, 2, 3, 5, 7, 28, 147, 224, 1000, 2**20, 2**31 - 1):
        inverse, digits = inverse_of(divisor)
        assert inverse < 2**32 + 1
        edges = [0, 1, divisor - 1, divisor, 2 * divisor - 1, 2**31 - 1]
        for x in (*edges, *generator.integers(2**31, size=50).tolist()):
            if x < 2**31:
                assert (x * inverse) >> digits == x // divisor
