"""Choosing the largest elements and searching, against sorting and comparing all with all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras import ops
from nkeras.backend.registry import load, use_backend
from nkeras.core.tape import GradientTape

_random = np.random.default_rng(3)


@pytest.fixture(params=["numpy", "numba_cpu"], autouse=True)
def _backend(request: Any) -> Any:
    with use_backend(request.param):
        yield


def lines(dtype: str, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Many equal elements, both orders, and NaN and zeros of both signs where there are any."""
    x = (_random.normal(size=shape) * 20).astype(dtype)
    few = (_random.random(shape) * 4).astype(dtype)
    if x.dtype.kind == "f":
        x[_random.random(shape) < 0.05] = np.nan
        few[_random.random(shape) < 0.2] = -0.0
    return [x, few, np.sort(few), np.sort(few)[..., ::-1]]


def best(x: np.ndarray, k: int) -> np.ndarray:
    """Places of the k largest, by a stable sort of NaN and then numbers, descending."""
    rank = np.where(np.isnan(x), np.inf, x).astype("float64")
    is_number = ~np.isnan(x)
    order = np.lexsort((np.broadcast_to(np.arange(x.shape[-1]), x.shape), -rank, is_number))
    return order[..., :k]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int8", "int64"])
@pytest.mark.parametrize("shape", [(1,), (4, 3), (2, 129), (3, 1500)])
def test_top_k_is_the_head_of_the_sorted_line(dtype: str, shape: tuple[int, ...]) -> None:
    for x in lines(dtype, shape):
        for k in {1, shape[-1] // 3 + 1, shape[-1] // 2 + 1, shape[-1]}:
            values, places = ops.top_k(x, k)
            np.testing.assert_array_equal(places, best(x, k))
            np.testing.assert_array_equal(values, np.take_along_axis(x, best(x, k), -1))
            assert (values.dtype, places.dtype) == (dtype, "int32")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "bool", "uint16"])
def test_top_k_of_other_dtypes(dtype: str) -> None:
    x = ops.cast(np.array([[0, 3, 1, 3], [2, 0, 0, 1]]), dtype)
    values, places = ops.top_k(x, 2)
    assert values.dtype == dtype
    np.testing.assert_array_equal(places, [[1, 2], [0, 3]] if dtype == "bool" else [[1, 3], [0, 3]])
    np.testing.assert_array_equal(
        ops.cast(values, "float32"), [[1, 1]] * 2 if dtype == "bool" else [[3, 3], [2, 1]]
    )


def test_the_gradient_of_top_k_goes_to_the_chosen() -> None:
    x = ops.convert_to_tensor([[1.0, 4.0, 4.0, 2.0]])
    with GradientTape() as tape:
        tape.watch(x)
        total = ops.sum(ops.top_k(x, 2)[0] * np.array([3.0, 5.0], "float32"))
    np.testing.assert_array_equal(tape.gradient(total, x), [[0, 3, 5, 0]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int8", "int64"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_is_that_of_numpy(dtype: str, side: str) -> None:
    for size in (0, 1, 2, 3, 7, 64, 1000):
        for x in lines(dtype, (size,))[:2]:
            line = np.sort(x)
            for values in (*lines(dtype, (5, 33))[:2], line):
                got = ops.searchsorted(line, values, side)
                np.testing.assert_array_equal(got, np.searchsorted(line, values, side))
                assert got.dtype == "int32"


def test_many_values_in_a_long_line_need_no_table_of_all_with_all() -> None:
    line, values = np.sort(_random.normal(size=40_000)), _random.normal(size=(400, 500))
    np.testing.assert_array_equal(
        ops.digitize(values, line), np.searchsorted(line, values, "right")
    )
    found = ops.isin(values, np.concatenate([values.ravel()[::3], line])).numpy()
    assert found.ravel()[::3].all()
    assert found.sum() == -(-values.size // 3)


def test_dtypes_are_promoted() -> None:
    got = ops.searchsorted(np.array([1, 2, 3], "int32"), np.array([0.5, 2.0, 2.5], "float32"))
    np.testing.assert_array_equal(got, [0, 1, 2])
    got = ops.searchsorted(np.array([False, True]), np.array([True, False]), "right")
    np.testing.assert_array_equal(got, [2, 1])


@pytest.mark.parametrize(
    ("x1", "x2"),
    [
        (np.array([1.0, np.nan, 2.0, -0.0]), np.array([np.nan, 0.0, 3.0])),
        (np.array([[1, 5], [7, 3]], "int32"), np.array([[3, 1]], "int32")),
        (np.array([True, False]), np.array([True])),
        (np.array([1, 2], "int32"), np.array([2.0, 2.5], "float32")),
        (np.array([1, 2], "int32"), np.array([], "int32")),
    ],
)
def test_isin_is_that_of_numpy(x1: np.ndarray, x2: np.ndarray) -> None:
    np.testing.assert_array_equal(ops.isin(x1, x2), np.isin(x1, x2))
    np.testing.assert_array_equal(ops.isin(x1, x2, invert=True), np.isin(x1, x2, invert=True))


def test_rows_of_an_adverse_order_are_chosen_from_in_linear_time() -> None:
    """Ascending rows replace all candidates again and again."""
    kernel = load("numba_cpu").kernels["top_k"]
    x = np.arange(300_000, dtype="float32")[None]
    np.testing.assert_array_equal(kernel(x, k=5)[1], [[299_999 - i for i in range(5)]])
