"""Real handwritten digits of 8x8 pixels, small enough to ship with the package.

Source: E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine
Learning Repository, https://doi.org/10.24432/C50P49, licensed CC BY 4.0. The 1,797 images are
those of scikit-learn's `load_digits`; see digits.LICENSE.txt for what was changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]

_TEST_SIZE = 360


def load_data() -> tuple[Split, Split]:
    """Load the handwritten digits, split into training and test data.

    The split is fixed: the file holds the images in a shuffled order whose last 360 are the test
    set, with every digit in proportion. Each call returns new arrays, which may be changed freely.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images `(1437, 8, 8)` and `(360, 8, 8)` of uint8
        from 0 (paper) to 16 (ink), labels `(1437,)` and `(360,)` of uint8 from 0 to 9.

    Example:
        >>> from nkeras.datasets import digits
        >>> (x_train, y_train), (x_test, y_test) = digits.load_data()
        >>> x_train.shape, int(x_train.max())
        ((1437, 8, 8), 16)
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        images: npt.NDArray[Any] = file["images"]
        labels: npt.NDArray[Any] = file["labels"]
    return (
        (images[:-_TEST_SIZE].copy(), labels[:-_TEST_SIZE].copy()),
        (images[-_TEST_SIZE:].copy(), labels[-_TEST_SIZE:].copy()),
    )
