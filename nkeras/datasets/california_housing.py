"""Prices of houses in California, 1990."""

from __future__ import annotations

import os

from nkeras.core.errors import refuse
from nkeras.datasets.housing import Split, check_test_split, shuffled_split
from nkeras.datasets.npz import read_npz
from nkeras.datasets.sources import fetch


def load_data(
    version: str = "large",
    path: str | os.PathLike[str] = "california_housing.npz",
    test_split: float = 0.2,
    seed: int | None = 113,
) -> tuple[Split, Split]:
    """Load prices of houses in districts of California, downloading them at the first call.

    The features of a district are the median income, the median age of its houses, rooms and
    bedrooms for each household, people, people in each household, latitude and longitude. Where few
    live in many houses, as in holiday resorts, the numbers for each household are large.

    Args:
        version: `"large"`, 20,640 samples, or `"small"`, 600.
        path: name of the file in the cache; see `nkeras.utils.get_file` on where that is.
        test_split: the fraction of the samples that are for testing, 0 to less than 1.
        seed: seed of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)` of float32 or float64, as the file has them: features
        `(samples, 8)`, and the median price in dollars `(samples,)`.

    Raises:
        ValueError: an argument is wrong, or the file is damaged.
        OSError: the file cannot be downloaded.

    Source: https://keras.io/api/datasets/california_housing/
    """
    owner = "california_housing.load_data()"
    test_split = check_test_split(test_split, owner)
    if version not in ("small", "large"):
        refuse("version", version, '"small" or "large"', owner)
    x, y = read_npz(fetch("california_housing.npz", path), ("x", "y"))
    if version == "small":
        x, y = x[:600], y[:600]
    return shuffled_split(x, y, test_split, seed)
