"""Products on tensor cores, as Numba compiled them, against float64."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tests.ptx.tiled import TILED, tiled_product

TOLERANCE = {"float32": 2e-6, "tensorfloat32": 1e-3, "bfloat16": 4e-3, "float16": 5e-4}
"""Relative to the sum of absolute products."""
LAYOUTS = ("nn", "nt", "tn")


def matrices(rows, inner, columns, dtype="float32", batch=()):
    generator = np.random.default_rng([rows, inner, columns])
    shapes = (*batch, rows, inner), (*batch, inner, columns)
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def assert_close(z, x, y, tolerance, bias=0.0, addend=0.0, activation="linear"):
    wide = [np.asarray(a, "float64") for a in (x, y, bias, addend)]
    x, y, bias, addend = wide
    expected = x @ y + bias + addend
    scale = np.abs(x) @ np.abs(y) + np.abs(bias) + np.abs(addend)
    if activation in ("relu", "relu6"):
        expected = np.maximum(expected, 0)
    if activation == "relu6":
        expected = np.minimum(expected, 6)
    assert (np.abs(z.astype("float64") - expected) <= tolerance * scale).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("rows", "inner", "columns", "splits"),
    [
        (16, 16, 16, 1),  # one step
        (32, 96, 16, 1),  # more steps than stages
        (24, 40, 20, 1),  # rows of 16 bytes, ragged edges
        (19, 43, 21, 1),  # rows that begin anywhere: copies of 4 bytes
        (19, 43, 20, 1),  # one matrix of each kind
        (2, 40, 33, 1),
        (20, 100, 18, 3),
    ],
)
def test_layouts_and_shapes(rows, inner, columns, splits, layout):
    x, y = matrices(rows, inner, columns)
    z, session = tiled_product(x, y, layout, splits=splits, seed=rows)
    assert_close(z, x, y, TOLERANCE["float32"])
    assert f"product_float32_{layout}_16x16" in session.launched
    assert ("sum_of_parts_float32" in session.launched) == (splits > 1)


HALVES = ["bfloat16", pytest.param("float16", marks=pytest.mark.long)]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(("inner", "columns", "splits"), [(64, 24, 1), (43, 21, 1), (100, 18, 2)])
def test_sixteen_bits(inner, columns, splits, dtype):
    x, y = matrices(20, inner, columns, dtype)
    z, session = tiled_product(x, y, splits=splits, seed=1)
    assert z.dtype == x.dtype
    assert_close(z, x, y, TOLERANCE[dtype])
    kernels = {f"product_{dtype}_nn_16x16"} | ({f"sum_of_parts_{dtype}"} if splits > 1 else set())
    assert set(session.launched) == kernels


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("layout", ["nt", "tn"])
@pytest.mark.parametrize(("inner", "columns"), [(64, 24), (43, 21)])
def test_sixteen_bits_in_other_layouts(inner, columns, layout, dtype):
    x, y = matrices(20, inner, columns, dtype)
    z, _ = tiled_product(x, y, layout, seed=1)
    assert_close(z, x, y, TOLERANCE[dtype])


def test_one_product_of_tensorfloat32():
    x, y = matrices(20, 72, 24)
    z, session = tiled_product(x, y, precision="tensorfloat32")
    assert set(session.launched) == {"product_tensorfloat32_nn_16x16"}
    assert_close(z, x, y, TOLERANCE["tensorfloat32"])
    error = np.abs(z - x.astype("float64") @ y.astype("float64")).max()
    assert error > 1e-4  # three would be better
    small = np.round(4 * x), np.round(4 * y)  # numbers of 11 bits are not rounded
    z, _ = tiled_product(*small, precision="tensorfloat32")
    np.testing.assert_array_equal(z, small[0] @ small[1])


@pytest.mark.parametrize("splits", [1, 2])
@pytest.mark.parametrize("activation", ["linear", "relu", "relu6"])
def test_what_follows(activation, splits):
    x, y = matrices(18, 40, 21)
    bias, addend = y[0] * 3, x[:, :21] * 2
    after = {"bias": bias, "addend": addend, "activation": activation}
    z, session = tiled_product(x, y, splits=splits, **after)
    assert_close(z, x, y, TOLERANCE["float32"], **after)
    assert sum(session.launched.values()) == splits  # one launch, or two with the sum


def test_batches():
    x, y = matrices(18, 24, 20, batch=(3,))
    z, _ = tiled_product(x, y, seed=2)
    assert_close(z, x, y, TOLERANCE["float32"])
    z, _ = tiled_product(x[:1], y, seed=2)
    assert_close(z, x[:1], y, TOLERANCE["float32"])


SMALLEST = 2.0**-136
"""What one bit of tf32 is worth at least: numbers below 2^-113 are rounded to multiples of it."""
SPECIAL = [np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 1e-40, -0.0, 1.0]


@pytest.mark.parametrize("precision", ["float32", "tensorfloat32"])
def test_infinity_and_nan(precision):
    """As float32 has it, for each pair of special numbers, alone in their sums."""
    x = np.zeros((len(SPECIAL), 16), "float32")
    x[:, 5] = SPECIAL
    y = np.zeros((16, 20), "float32")
    y[5, :8] = SPECIAL
    y[5, 8:] = np.linspace(-3, 3, 12)
    with np.errstate(all="ignore"):
        expected = x[:, 5:6] * y[5:6]
    for layout in LAYOUTS if precision == "float32" else ("nn",):
        z, _ = tiled_product(x, y, layout, precision=precision)
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(z[~finite], expected[~finite])
        lost = SMALLEST * np.maximum(np.abs(x[:, 5:6]), np.abs(y[5:6]))[finite]
        bound = TOLERANCE[precision] * np.abs(expected[finite]) + lost
        assert (np.abs(z[finite] - expected[finite]) <= bound).all()


@pytest.mark.parametrize("dtype", HALVES)
def test_infinity_and_nan_of_sixteen_bits(dtype):
    x, y = matrices(16, 32, 16, dtype)
    x[3, 5], x[4, 6], y[7, 2] = np.inf, np.nan, -np.inf
    z, _ = tiled_product(x, y)
    with np.errstate(all="ignore"):
        expected = (x.astype("float32") @ y.astype("float32")).astype(dtype)
    np.testing.assert_allclose(z.astype("float64"), expected.astype("float64"), rtol=0.02, atol=0.1)


def test_subnormal_numbers_count():
    x, y = matrices(16, 16, 16)
    x = x * np.float32(1e-39)
    z, _ = tiled_product(x, y)
    assert (np.abs(z - x @ y) <= SMALLEST * np.abs(y).sum(0)).all()


@pytest.mark.long
@pytest.mark.parametrize("name", list(TILED))
def test_every_tile(name):
    """Two tiles high and wide, the second ones cut, and more steps than stages."""
    arithmetic, tile, layout = TILED[name]
    together = 16 // arithmetic.bytes
    rows, columns, inner = tile.rows + together, tile.columns + together, 4 * tile.inner + together
    x, y = matrices(rows, inner, columns, arithmetic.dtype)
    precision = arithmetic.name if arithmetic.dtype == "float32" else "float32"
    z, session = tiled_product(x, y, layout, tile, precision=precision)
    assert set(session.launched) == {name}
    assert_close(z, x, y, TOLERANCE[arithmetic.name])


assert ml_dtypes.bfloat16  # makes "bfloat16" a dtype name that NumPy knows
