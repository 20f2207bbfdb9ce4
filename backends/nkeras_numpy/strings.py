"""Text: arrays of objects, `str` or `bytes`, on the host."""

from __future__ import annotations

import numpy as np

from nkeras_numpy.registry import KERNELS


@KERNELS.register
def reshape_text(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    return x.reshape(shape)
