"""Gather and scatter of numba_cpu: duplicates in order, many ranges, indices out of range."""

import numpy as np
import pytest

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS


def values(shape, dtype="float32"):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def index(below, shape, dtype="int32"):
    return np.random.default_rng(1).integers(0, below, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "float64"])
def test_take_along_every_axis(dtype):
    x = values((5, 70, 9), dtype)
    for axis in range(3):
        rows = index(x.shape[axis], (3, 50))
        result = KERNELS["take"](x, rows, axis=axis)
        np.testing.assert_array_equal(result, np.take(x, rows, axis))


def test_a_gradient_in_many_ranges_adds_in_index_order():
    shape = (3000, 40)  # several ranges of rows
    rows = np.concatenate([index(3000, (500,)), np.full(100, 7, np.int32)])
    grad_y = values((600, 40))
    expected = np.zeros(shape, np.float32)
    np.add.at(expected, rows, grad_y)
    before = threads.get_num_threads()
    try:
        for count in range(1, min(2, threads.limit()) + 1):
            threads.set_num_threads(count)
            result = KERNELS["take_grad"](grad_y, rows, shape=shape, axis=0)
            np.testing.assert_array_equal(result, expected)
    finally:
        threads.set_num_threads(before)


def test_more_rows_than_ranges_of_a_grain():
    shape = (20_000_000 // 400, 3)
    rows = index(shape[0], (1000,))
    grad_y = values((1000, 3))
    expected = np.zeros(shape, np.float32)
    np.add.at(expected, rows, grad_y)
    np.testing.assert_array_equal(KERNELS["take_grad"](grad_y, rows, shape=shape, axis=0), expected)


def test_nothing_to_take_or_to_add():
    nothing = np.zeros((0,), np.int32)
    assert KERNELS["take"](values((4, 3)), nothing, axis=0).shape == (0, 3)
    result = KERNELS["take_grad"](np.zeros((0, 3), np.float32), nothing, shape=(4, 3), axis=0)
    np.testing.assert_array_equal(result, np.zeros((4, 3)))
    x = values((4, 3))
    updated = KERNELS["scatter_update"](x, np.zeros((0, 1), np.int32), np.zeros((0, 3), np.float32))
    np.testing.assert_array_equal(updated, x)


def test_an_index_never_reaches_other_memory():
    x = np.arange(5, dtype=np.float32)
    rows = np.array([-1, 4, 5, 1000, -6, -1000], np.int32)
    np.testing.assert_array_equal(KERNELS["take"](x, rows, axis=0), [4, 4, 4, 4, 0, 0])
    ones = np.ones(6, np.float32)
    result = KERNELS["take_grad"](ones, rows, shape=(5,), axis=0)
    np.testing.assert_array_equal(result, [2, 0, 0, 0, 4])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_take_along_axis_and_back(axis):
    x = values((4, 30, 6), "float64")
    shape = tuple(7 if d == axis else size for d, size in enumerate(x.shape))
    rows = index(x.shape[axis], shape, "int64")
    result = KERNELS["take_along_axis"](x, rows, axis=axis)
    np.testing.assert_array_equal(result, np.take_along_axis(x, rows, axis))
    grad = KERNELS["take_along_axis_grad"](result, rows, shape=x.shape, axis=axis)
    expected = np.zeros(x.shape)
    where = list(np.indices(shape))
    where[axis] = rows
    np.add.at(expected, tuple(where), result)
    np.testing.assert_allclose(grad, expected, rtol=1e-14)


def test_take_along_axis_of_a_broadcast_array():
    x, rows = values((1, 5, 6)), index(5, (4, 3, 1))
    result = KERNELS["take_along_axis"](x, rows, axis=1)
    wide = np.broadcast_to(x, (4, 5, 6))
    np.testing.assert_array_equal(
        result, np.take_along_axis(wide, np.broadcast_to(rows, (4, 3, 6)), 1)
    )
    ones = np.ones((4, 3, 6), np.float32)
    grad = KERNELS["take_along_axis_grad"](ones, rows, shape=(1, 5, 6), axis=1)
    np.testing.assert_array_equal(grad[0, :, 0], np.bincount(rows.ravel(), minlength=5))


def test_the_last_write_wins():
    x = values((6, 4))
    where = np.array([[2], [2], [5], [2]], np.int32)
    updates = values((4, 4))
    expected = x.copy()
    expected[2], expected[5] = updates[3], updates[2]
    np.testing.assert_array_equal(KERNELS["scatter_update"](x, where, updates), expected)


def test_scatter_of_points_of_any_depth():
    where = index(4, (300, 3))
    numbers = values((300,), "float64")
    expected = np.zeros((4, 4, 4))
    np.add.at(expected, tuple(where.T), numbers)
    np.testing.assert_allclose(
        KERNELS["scatter_nd"](where, numbers, shape=(4, 4, 4)), expected, rtol=1e-13
    )
    x = values((4, 4, 4))
    np.testing.assert_array_equal(KERNELS["gather_nd"](x, where), x[tuple(where.T)])
