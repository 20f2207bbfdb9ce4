"""Segments and scattered updates that are joined: against loops, and their gradients at ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras import ops
from nkeras.backend.registry import use_backend
from nkeras.core.tape import GradientTape

_UFUNC = {"max": np.maximum, "min": np.minimum, "mul": np.multiply}


@pytest.fixture(params=["numpy", "numba_cpu"], autouse=True)
def _backend(request: Any) -> Any:
    with use_backend(request.param):
        yield


@pytest.mark.parametrize("reduction", ["max", "min", "mul"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_many_updates_of_few_places(reduction: str, dtype: str) -> None:
    random = np.random.default_rng(0)
    x = random.integers(1, 3, (5, 3)).astype(dtype)
    places = random.integers(0, 5, (400, 1))
    updates = random.integers(1, 3 if reduction != "mul" else 2, (400, 3)).astype(dtype)
    updates[::50] = 2
    want = x.copy()
    _UFUNC[reduction].at(want, places[:, 0], updates)
    got = ops.scatter_update(x, places, updates, reduction=reduction)
    np.testing.assert_array_equal(got, want)
    assert got.dtype == dtype


def gradients(reduction: str, x: Any, places: Any, updates: Any) -> tuple[Any, Any]:
    x, updates = ops.convert_to_tensor(x), ops.convert_to_tensor(updates)
    with GradientTape() as tape:
        tape.watch([x, updates])
        y = ops.scatter_update(x, places, updates, reduction=reduction)
    return tuple(g.numpy().tolist() for g in tape.gradient(y, [x, updates]))


def test_equal_extremes_share_the_gradient() -> None:
    places = [[0], [0], [2]]
    assert gradients("max", [1.0, 5.0, 3.0], places, [2.0, 2.0, 3.0]) == (
        [0.0, 1.0, 0.5],
        [0.5, 0.5, 0.5],
    )


def test_gradients_of_products_with_zeros() -> None:
    places = [[0], [0], [1], [2], [2]]
    assert gradients("mul", [2.0, 0.0, 3.0], places, [3.0, 0.0, 4.0, 0.0, 0.0]) == (
        [0.0, 4.0, 0.0],
        [0.0, 6.0, 0.0, 0.0, 0.0],
    )


def test_nan_is_kept_and_empty_segments_have_the_neutral_value() -> None:
    data = np.array([[1.0], [np.nan], [3.0]], "float32")
    got = ops.segment_max(data, np.array([0, 0, 2]), 4).numpy()[:, 0]
    np.testing.assert_array_equal(got, [np.nan, -np.inf, 3.0, -np.inf])
    np.testing.assert_array_equal(
        ops.segment_prod(np.array([2, 3, 4]), np.array([1, 1, 5]), 3), [1, 6, 1]
    )
