"""Prices of houses in Boston, 1978."""

from __future__ import annotations

import os

from nkeras.datasets.housing import Split, check_test_split, shuffled_split
from nkeras.datasets.npz import read_npz
from nkeras.datasets.sources import fetch


def load_data(
    path: str | os.PathLike[str] = "boston_housing.npz",
    test_split: float = 0.2,
    seed: int | None = 113,
) -> tuple[Split, Split]:
    """Load prices of houses in the suburbs of Boston, downloading them at the first call.

    One of the 13 features, "B", was made on the assumption that people of one race lower the price
    of houses. Use the data to show such errors, and `california_housing` for everything else.

    Args:
        path: name of the file in the cache; see `nkeras.utils.get_file` on where that is.
        test_split: the fraction of the 506 samples that are for testing, 0 to less than 1.
        seed: seed of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)` of float64: features `(samples, 13)`, and prices in
        thousands of dollars `(samples,)`.

    Raises:
        ValueError: an argument is wrong, or the file is damaged.
        OSError: the file cannot be downloaded.

    Source: https://keras.io/api/datasets/boston_housing/
    """
    test_split = check_test_split(test_split, "boston_housing.load_data()")
    x, y = read_npz(fetch("boston_housing.npz", path), ("x", "y"))
    return shuffled_split(x, y, test_split, seed)
