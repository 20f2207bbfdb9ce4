"""CIFAR-10: small images in colour of ten kinds of things."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nkeras.datasets.cifar import load_batch
from nkeras.datasets.sources import fetch

Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def load_data() -> tuple[Split, Split]:
    """Load CIFAR-10, downloading 170 MB at the first call.

    The classes are: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse,
    8 ship, 9 truck. A few of the labels are known to be wrong.

    Returns:
        `(x_train, y_train), (x_test, y_test)` of uint8: images `(50000, 32, 32, 3)` and
        `(10000, 32, 32, 3)` from 0 to 255, labels `(50000, 1)` and `(10000, 1)` from 0 to 9. With
        `set_image_data_format("channels_first")` the images are `(samples, 3, 32, 32)`.

    Raises:
        ValueError: the archive or a file in it is damaged.
        OSError: the archive cannot be downloaded.

    Source: https://keras.io/api/datasets/cifar10/
    """
    folder = fetch("cifar-10-batches-py-target") / "cifar-10-batches-py"
    batches = [load_batch(folder / f"data_batch_{number}", "labels") for number in range(1, 6)]
    x_train = np.concatenate([images for images, _ in batches])
    y_train = [label for _, labels in batches for label in labels]
    x_test, y_test = load_batch(folder / "test_batch", "labels")
    return (x_train, _column(y_train)), (x_test, _column(y_test))


def _column(labels: list[int]) -> npt.NDArray[np.uint8]:
    return np.array(labels, np.uint8).reshape(-1, 1)
