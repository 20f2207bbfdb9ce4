"""CIFAR-100: small images in colour of a hundred kinds of things."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nkeras.core.errors import refuse
from nkeras.datasets.cifar import load_batch
from nkeras.datasets.sources import fetch

Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def load_data(label_mode: str = "fine") -> tuple[Split, Split]:
    """Load CIFAR-100, downloading 169 MB at the first call.

    Args:
        label_mode: `"fine"` for labels of 100 classes, `"coarse"` for those of 20 groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images `(50000, 32, 32, 3)` and
        `(10000, 32, 32, 3)` of uint8 from 0 to 255, labels `(50000, 1)` and `(10000, 1)` of int64
        (which Keras returns, though its page says uint8). With
        `set_image_data_format("channels_first")` the images are `(samples, 3, 32, 32)`.

    Raises:
        ValueError: an argument is wrong, or the archive or a file in it is damaged.
        OSError: the archive cannot be downloaded.

    Source: https://keras.io/api/datasets/cifar100/
    """
    if label_mode not in ("fine", "coarse"):
        refuse("label_mode", label_mode, '"fine" or "coarse"', "cifar100.load_data()")
    folder = fetch("cifar-100-python-target") / "cifar-100-python"
    x_train, y_train = load_batch(folder / "train", f"{label_mode}_labels")
    x_test, y_test = load_batch(folder / "test", f"{label_mode}_labels")
    return (x_train, _column(y_train)), (x_test, _column(y_test))


def _column(labels: list[int]) -> npt.NDArray[np.int64]:
    return np.array(labels, np.int64).reshape(-1, 1)
