"""Few rows times a transposed matrix: tails, dtypes, threads, NaN and infinity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.products import dots

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def operands(rows, columns, inner, dtype="float32"):
    generator = np.random.default_rng(rows * 10_007 + columns * 101 + inner)
    a, b = generator.standard_normal((rows, inner)), generator.standard_normal((columns, inner))
    return a.astype(dtype), b.astype(dtype)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, dots.ROWS),
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["float32", "float64"]),
)
def test_sizes_around_four_lines(rows, columns, inner, dtype):
    a, b = operands(rows, columns, inner, dtype)
    got = KERNELS["matmul"](a, b.T)
    expected = a.astype("float64") @ b.T.astype("float64")
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[dtype] * (inner + 10))


def test_the_result_does_not_depend_on_the_number_of_threads():
    sizes = rows, columns, _ = 3, 1021, 517
    a, b = operands(*sizes)
    before = threads.get_num_threads()
    results = []
    for count in {1, threads.limit()}:
        threads.set_num_threads(count)
        results.append(dots.product(a, b, sizes))
    threads.set_num_threads(before)
    assert all(np.array_equal(results[0], result) for result in results)
    np.testing.assert_allclose(results[0].reshape(rows, columns), a @ b.T, rtol=0, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_stay_where_they_belong(value):
    a, b = np.ones((2, 7), np.float32), np.ones((6, 7), np.float32)
    b[4, 3] = value
    got = KERNELS["matmul"](a, b.T)
    np.testing.assert_array_equal(got[:, 4], [value, value])
    np.testing.assert_array_equal(got[:, [0, 1, 2, 3, 5]], np.full((2, 5), 7, np.float32))
