"""Fashion-MNIST: articles of clothing in the format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nkeras.core.errors import cut_text
from nkeras.datasets.sources import fetch

Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]

_SIDE = 28
_MOST_SAMPLES = 1_000_000


def load_data() -> tuple[Split, Split]:
    """Load Fashion-MNIST, downloading 31 MB at the first call.

    The classes are: 0 T-shirt or top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt,
    7 sneaker, 8 bag, 9 ankle boot. Keras knows no hashes of the four files; each has a checksum of
    its own, which tells damage.

    Returns:
        `(x_train, y_train), (x_test, y_test)` of uint8: images `(60000, 28, 28)` and
        `(10000, 28, 28)` from 0 to 255, labels `(60000,)` and `(10000,)` from 0 to 9.

    Raises:
        ValueError: a file is damaged.
        OSError: a file cannot be downloaded.

    Source: https://keras.io/api/datasets/fashion_mnist/. The copyright is Zalando SE's; the data
    are licensed MIT.
    """
    y_train = _read(fetch("train-labels-idx1-ubyte.gz"), ())
    x_train = _read(fetch("train-images-idx3-ubyte.gz"), (_SIDE, _SIDE), len(y_train))
    y_test = _read(fetch("t10k-labels-idx1-ubyte.gz"), ())
    x_test = _read(fetch("t10k-images-idx3-ubyte.gz"), (_SIDE, _SIDE), len(y_test))
    return (x_train, y_train), (x_test, y_test)


def _read(path: Path, sample: tuple[int, ...], samples: int | None = None) -> npt.NDArray[np.uint8]:
    """An array `(samples, *sample)` of a file in the format IDX.

    Such a file begins with 0, 0, 8 for bytes, the number of axes, and their sizes as four bytes.
    """
    try:
        with gzip.open(path) as file:
            head = np.frombuffer(file.read(4 * (2 + len(sample))), ">u4")
            if len(head) != 2 + len(sample) or head[0] != 0x800 + 1 + len(sample):
                raise ValueError("it does not begin as the format IDX says")
            shape = tuple(map(int, head[1:]))
            if shape[1:] != sample or shape[0] > _MOST_SAMPLES or shape[0] != (samples or shape[0]):
                raise ValueError(f"its shape is {shape}")
            data = bytearray(file.read(math.prod(shape)))
            if len(data) != math.prod(shape) or file.read(1):
                raise ValueError(f"its shape is {shape}, which its bytes are not")
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{cut_text(str(path), 200)} is damaged: {error}. Delete it to download it again."
        ) from error
    return np.frombuffer(data, np.uint8).reshape(shape)
