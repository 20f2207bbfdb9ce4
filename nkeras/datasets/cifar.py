"""Batches of images of CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nkeras.core.config import image_data_format
from nkeras.core.errors import cut_text
from nkeras.datasets.pickles import read_pickle

_MOST_BYTES = 1 << 28  # the training images of CIFAR-100 have 155 MB
_PIXELS = 3 * 32 * 32


def load_batch(path: Path, label_key: str) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """The images and labels in a file.

    Args:
        path: a pickle of a dict with `data`, uint8 `(samples, 3072)`, and lists of labels.
        label_key: name of the list.

    Returns:
        Images `(samples, 32, 32, 3)`, or `(samples, 3, 32, 32)` if the default layout is channels
        first, and labels.

    Raises:
        ValueError: the file is something else.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES} bytes")
        content: Any = read_pickle(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it is no dict")
        data: Any = content.get(b"data", content.get("data"))
        labels: Any = content.get(label_key.encode(), content.get(label_key))
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2:
            raise ValueError("it has no array of images")
        if data.shape[1] != _PIXELS:
            raise ValueError(f"its images have {data.shape[1]} numbers instead of {_PIXELS}")
        if not isinstance(labels, list) or len(labels) != len(data):
            raise ValueError(f"it has no list {label_key!r} with a label for each image")
        if not all(type(label) is int and 0 <= label <= 255 for label in labels):
            raise ValueError(f"{label_key!r} holds what is no label")
    except ValueError as error:
        raise ValueError(f"{cut_text(str(path), 200)} is damaged: {error}") from error
    images = data.reshape(-1, 3, 32, 32)
    if image_data_format() == "channels_last":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return images, labels
