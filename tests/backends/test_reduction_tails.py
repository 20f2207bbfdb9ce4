"""Reductions of numba_cpu at every tail of its vectors and blocks, against NumPy in float64."""

import numpy as np
import pytest

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS

# (outer, reduced, inner): around one vector, four vectors, a square of vectors, a block of rows.
SHAPES = [
    *[(n, r, 1) for n in (1, 3, 16, 17, 35) for r in (1, 2, 3, 15, 16, 17, 63, 64, 65, 130)],
    *[(2, r, c) for r in (1, 2, 5, 97) for c in (2, 3, 16, 21, 32, 33, 63, 64, 65, 130)],
    (1, 70_001, 1),
    (18, 9001, 1),
    (11_000, 3, 1),
    (1, 3000, 33),
    (2, 40, 4500),
]
FOLDS = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}


def values(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def reduced(name, x, axis=(1,)):
    x.setflags(write=False)
    return KERNELS[f"reduce_{name}"](x, axis=axis, keepdims=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sum", "max"])
def test_every_tail(name, dtype):
    for shape in SHAPES:
        x = values(shape, dtype)
        expected = FOLDS[name](x.astype(np.float64), axis=1)
        tolerance = 0 if name == "max" else 1e-6 if dtype == "float32" else 1e-14
        scale = np.abs(x).astype(np.float64).sum(axis=1)
        error = np.abs(reduced(name, x) - expected)
        assert np.all(error <= tolerance * scale), shape


@pytest.mark.parametrize("name", FOLDS)
def test_integers_wrap_and_compare_as_in_numpy(name):
    for shape in [(3, 17, 1), (20, 40, 1), (2, 9, 5), (1, 300, 70)]:
        x = np.random.default_rng(1).integers(-3, 4, shape).astype(np.int32)
        kind = {"dtype": np.int32} if name in ("sum", "prod") else {}
        np.testing.assert_array_equal(reduced(name, x), FOLDS[name](x, axis=1, **kind))


def test_bytes_and_unsigned_numbers_compare_as_such():
    x = np.array([[3, 200], [255, 1]], np.uint8)
    np.testing.assert_array_equal(reduced("max", x), [200, 255])
    np.testing.assert_array_equal(reduced("min", x), [3, 1])


@pytest.mark.parametrize("name", ["max", "min", "sum"])
def test_one_nan_anywhere_is_kept(name):
    for shape in [(20, 37, 1), (1, 131, 1), (1, 40, 21), (1, 9, 130)]:
        for place in (0, 16, shape[1] * shape[2] - 1):
            x = values(shape)
            x.reshape(shape[0], -1)[0, place] = np.nan
            result = reduced(name, x)[0]
            assert np.isnan(result).sum() == 1
            assert np.isnan(result[place % shape[2]])


@pytest.mark.parametrize("name", ["sum", "max"])
def test_infinity_is_kept_and_stays_in_its_column(name):
    x = values((1, 50, 21))
    x[0, 7, 3] = np.inf
    result = reduced(name, x)[0]
    assert np.isposinf(result[3])
    assert np.isfinite(np.delete(result, 3)).all()


def test_groups_of_axes_that_lie_apart():
    x = values((3, 4, 5, 6, 7), "float64")
    for axis in [(0, 2), (1, 3), (0, 4), (0, 1, 3, 4), (1, 2, 4)]:
        np.testing.assert_allclose(reduced("sum", x, axis), x.sum(axis=axis), rtol=1e-12)


def test_the_error_of_a_million_is_that_of_numpy():
    for shape, axis in [((1_000_000,), (0,)), ((500_000, 2), (0,))]:
        x = np.random.default_rng(2).random(shape).astype(np.float32)
        exact = x.sum(axis=axis, dtype=np.float64)
        assert np.all(np.abs(reduced("sum", x, axis) / exact - 1) < 3e-7)


def test_mean_of_nothing_and_of_one():
    empty = KERNELS["reduce_mean"](np.zeros((2, 0), np.float32), axis=(1,), keepdims=False)
    assert np.isnan(empty).all()
    x = values((2, 1))
    result = KERNELS["reduce_mean"](x, axis=(1,), keepdims=True)
    np.testing.assert_array_equal(result, x)
    assert not np.may_share_memory(result, x)


def test_any_and_all_of_nothing():
    nothing = np.zeros((2, 0), np.bool_)
    assert not reduced("any", nothing).any()
    assert reduced("all", nothing).all()


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_place_wins_and_nan_before_all(name):
    reference = getattr(np, name)
    for shape in [(20, 10), (17, 64), (3, 65), (2, 257), (1, 1000)]:
        x = np.random.default_rng(3).integers(0, 4, shape).astype(np.float32)
        np.testing.assert_array_equal(KERNELS[name](x, axis=1, keepdims=False), reference(x, 1))
        np.testing.assert_array_equal(KERNELS[name](x, axis=0, keepdims=False), reference(x, 0))
        x[0, shape[1] // 2 :] = np.nan
        np.testing.assert_array_equal(KERNELS[name](x, axis=1, keepdims=False), reference(x, 1))
        np.testing.assert_array_equal(KERNELS[name](x, axis=0, keepdims=False), reference(x, 0))


def test_running_sums():
    for shape, axis in [((3, 17), 1), ((17, 3), 0), ((2, 5, 600), 1)]:
        x = values(shape, "float64")
        np.testing.assert_allclose(KERNELS["cumsum"](x, axis=axis), np.cumsum(x, axis), rtol=1e-12)


def test_same_bits_for_one_and_two_threads(monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr("nkeras_numba_cpu.launch.tasks.SERIAL_BELOW", 0)
    inputs = [(values((5000, 33)), (0,)), (values((70_000,)), (0,)), (values((3000, 20)), (1,))]
    before, results = threads.get_num_threads(), []
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            results.append([reduced("sum", x, axis).tobytes() for x, axis in inputs])
    finally:
        threads.set_num_threads(before)
    assert results[0] == results[1]
