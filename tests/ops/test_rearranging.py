"""Gradients of adaptive pooling and of rearranging, which are made of other ops, and odd sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nkeras import GradientTape, Tensor, ops

_random = np.random.default_rng(3)
_IMAGE = _random.permutation(2 * 5 * 7 * 4).reshape(2, 5, 7, 4) / 50.0

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "average": lambda x: ops.adaptive_average_pool(x, (3, 4)),
    "average of fewer": lambda x: ops.adaptive_average_pool(x, (8, 7)),
    "max": lambda x: ops.adaptive_max_pool(x, (3, 4)),
    "max channels first": lambda x: ops.adaptive_max_pool(x, (3, 3), "channels_first"),
    "depth_to_space": lambda x: ops.depth_to_space(x, 2),
    "space_to_depth": lambda x: ops.space_to_depth(x[:, :4, :6], 2),
    "unfold": lambda x: ops.unfold(x, (3, 2), dilation=(1, 2), padding=1, stride=(2, 1)),
    "fold": lambda x: ops.fold(ops.reshape(x, (2, 28, 5)), (2, 6), 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_numeric_ones(name: str) -> None:
    """Along a random direction, in float64."""
    function = FUNCTIONS[name]
    direction = _random.standard_normal(_IMAGE.shape)
    x = ops.convert_to_tensor(_IMAGE, "float64")
    with GradientTape() as tape:
        tape.watch(x)
        y = function(x)
        weights = _random.standard_normal(y.shape)
        total = ops.sum(y * weights)
    slope = float((tape.gradient(total, x).numpy() * direction).sum())

    def at(step: float) -> float:
        moved = ops.convert_to_tensor(_IMAGE + step * direction, "float64")
        return float((function(moved).numpy() * weights).sum())

    assert slope == pytest.approx((at(1e-5) - at(-1e-5)) / 2e-5, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("size", "count"), [(5, 3), (7, 5), (3, 5), (10, 7), (4, 1), (6, 6)])
def test_windows_of_adaptive_pooling(size: int, count: int) -> None:
    x = _random.standard_normal((2, size, 3)).astype("float32")
    windows = [x[:, i * size // count : -(-(i + 1) * size // count)] for i in range(count)]
    mean = np.stack([window.mean(1) for window in windows], 1)
    most = np.stack([window.max(1) for window in windows], 1)
    np.testing.assert_allclose(ops.adaptive_average_pool(x, count).numpy(), mean, rtol=1e-5)
    np.testing.assert_array_equal(ops.adaptive_max_pool(x, count).numpy(), most)


def test_fold_is_the_transpose_of_unfold() -> None:
    options: dict[str, Any] = {"dilation": (1, 2), "padding": (1, 0), "stride": (2, 1)}
    x = _random.standard_normal((2, 3, 6, 5)).astype("float32")
    windows = ops.unfold(x, (3, 2), **options).numpy()
    other = _random.standard_normal(windows.shape).astype("float32")
    folded = ops.fold(other, (6, 5), (3, 2), **options).numpy()
    assert (windows * other).sum() == pytest.approx((x * folded).sum(), rel=1e-4)


def test_wrong_arguments_are_named() -> None:
    x = np.ones((1, 4, 4, 6), "float32")
    for call, named in (
        (lambda: ops.depth_to_space(x, 2), "block_size"),
        (lambda: ops.space_to_depth(x, 3), "block_size"),
        (lambda: ops.space_to_depth(x, 1), "block_size"),
        (lambda: ops.unfold(x[0], 2), "rank 4"),
        (lambda: ops.unfold(x, 9), "do not fit"),
        (lambda: ops.fold(x[0], (4, 4), 2), "must have shape"),
        (lambda: ops.adaptive_max_pool(x, (2, 2, 2)), "output_size"),
        (lambda: ops.adaptive_average_pool(x[0, 0], 2), "rank 3, 4 or 5"),
    ):
        with pytest.raises(ValueError, match=named):
            call()
