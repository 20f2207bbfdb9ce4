"""Samples of houses, shuffled and split: `boston_housing` and `california_housing`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nkeras.core.errors import is_a, refuse

Split = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def check_test_split(test_split: object, owner: str) -> float:
    """A fraction from 0 to less than 1."""
    if is_a(test_split, (int, float, np.number)) and 0 <= float(test_split) < 1:  # type: ignore[arg-type]
        return float(test_split)  # type: ignore[arg-type]
    refuse("test_split", test_split, "a number from 0 to less than 1", owner)


def shuffled_split(
    x: npt.NDArray[Any], y: npt.NDArray[Any], test_split: float, seed: int | None
) -> tuple[Split, Split]:
    """Training and test data in Keras' order.

    Args:
        x: samples, `(samples, features)`.
        y: targets, `(samples,)`.
        test_split: the fraction of the samples that are for testing.
        seed: seed of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.
    """
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"arrays of shapes {x.shape} and {y.shape} are no samples with targets")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    train, test = np.split(order, [int(len(x) * (1 - test_split))])
    return (x[train], y[train]), (x[test], y[test])
