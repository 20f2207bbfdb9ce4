"""Kernels of Fourier transforms of short sequences.

Source: https://keras.io/api/layers/initializers/#stft-class
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import refuse, short
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, ShapeLike, TensorLike
from nkeras.initializers.constant import Initializer
from nkeras.ops.signal_windows import check_window, signal_window


class STFT(Initializer):
    """The real or imaginary part of a Fourier transform of sequences, as a convolution's kernel.

    Args:
        side: `"real"` or `"imag"`.
        window: factors of the elements of a sequence: `"hann"`, `"hamming"`, `"blackman"` or
            another of SciPy's that are sums of cosines, numbers, or None for 1.
        scaling: what the window is divided by: `"density"` for the root of the sum of its squares,
            `"spectrum"` for the sum of its absolute values, None for nothing.
        periodic: whether the window's next element would be its first, instead of a symmetric one.

    Raises:
        ValueError: an argument is none of these; in a call, the shape does not fit.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.STFT("real", "hann")((128, 1, 65)).shape
        (128, 1, 65)
    """

    def __init__(
        self,
        side: Literal["real", "imag"] = "real",
        window: str | TensorLike | None = "hann",
        scaling: Literal["density", "spectrum"] | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            refuse("side", side, '"real" or "imag"', "STFT")
        if scaling not in ("density", "spectrum", None):
            refuse("scaling", scaling, '"density", "spectrum" or None', "STFT")
        if isinstance(window, str):
            check_window(window, "STFT")
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of the shape (length of a sequence, 1, half of the transform's size, plus 1)."""
        if len(shape) != 3 or shape[1] != 1:
            raise ValueError(
                "STFT: the shape must be (length of a sequence, 1, number of frequencies). "
                f"Received: shape={short(tuple(shape))}"
            )
        length, _, frequencies = shape
        turns = np.outer(np.arange(length), np.arange(frequencies) / max(2 * (frequencies - 1), 1))
        values = (np.cos if self.side == "real" else np.sin)(-2 * np.pi * turns)
        if self.window is not None:
            values *= self._scaled_window(length)[:, None]
        return to_tensor(values[:, None, :], dtypes.standardize(dtype))

    def _scaled_window(self, length: int) -> np.ndarray:
        if isinstance(self.window, str):
            window = signal_window(self.window, length, self.periodic)
        else:
            window = np.asarray(self.window, "float64")
        if window.shape != (length,):
            raise ValueError(
                f"STFT: argument `window` must have the shape ({length},), one number for each "
                f"element of a sequence. Received shape {window.shape}"
            )
        if self.scaling is None:
            return window
        is_density = self.scaling == "density"
        return window / (np.sqrt((window**2).sum()) if is_density else np.abs(window).sum())
