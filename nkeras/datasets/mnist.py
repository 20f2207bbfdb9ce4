"""MNIST: handwritten digits of 28 x 28 pixels."""

from __future__ import annotations

import os
from typing import Any

import numpy.typing as npt

from nkeras.datasets.npz import read_npz
from nkeras.datasets.sources import fetch

Split = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def load_data(path: str | os.PathLike[str] = "mnist.npz") -> tuple[Split, Split]:
    """Load MNIST, downloading 11 MB at the first call.

    `nkeras.datasets.digits` are smaller ones that ship with nkeras.

    Args:
        path: name of the file in the cache; see `nkeras.utils.get_file` on where that is.

    Returns:
        `(x_train, y_train), (x_test, y_test)` of uint8: images `(60000, 28, 28)` and
        `(10000, 28, 28)` from 0 to 255, labels `(60000,)` and `(10000,)` from 0 to 9.

    Raises:
        ValueError: the file is damaged.
        OSError: the file cannot be downloaded.

    Source: https://keras.io/api/datasets/mnist/. Y. LeCun and C. Cortes hold the copyright;
    the data are licensed CC BY-SA 3.0.
    """
    names = ("x_train", "y_train", "x_test", "y_test")
    x_train, y_train, x_test, y_test = read_npz(fetch("mnist.npz", path), names)
    return (x_train, y_train), (x_test, y_test)
