"""Values as a small picture: images as they are, vectors and matrices in colours."""

from __future__ import annotations

from base64 import b64encode

import numpy as np

from nkeras.utils.png import png

_MOST = 256  # cells along an axis
_WIDTH = 256  # pixels, about
_IMAGES = 8  # beside each other

# As in pages: one scale for what is never negative (cividis), one around zero.
_UNSIGNED = (
    (0, 34, 77), (53, 69, 108), (102, 105, 112), (148, 142, 119), (197, 181, 104), (254, 232, 56)
)  # fmt: skip
_SIGNED = ((5, 80, 160), (110, 165, 215), (247, 247, 245), (245, 170, 95), (180, 75, 0))
_STRANGE = (220, 0, 160)


def value_picture(array: np.ndarray) -> str | None:
    """An `img` element of some values.

    Args:
        array: real numbers: a vector, a matrix, or images whose last axis is of 1 or 3 channels.

    Returns:
        HTML with the image in it; None for arrays of other shapes and of fewer than two numbers.

    Example:
        >>> value_picture(np.eye(3))[:9]
        '<img alt='
        >>> value_picture(np.ones((2, 3, 4, 5))) is None
        True
    """
    if array.size < 2 or array.ndim == 0:
        return None
    values = np.asarray(array, np.float64)
    if values.ndim >= 3 and values.shape[-1] in (1, 3):
        images = values.reshape(-1, *values.shape[-3:])[:_IMAGES]
        pixels = _gray_or_colour(np.concatenate(list(images), axis=1)[: 4 * _MOST, : 4 * _MOST])
    elif values.ndim <= 2:
        matrix = np.atleast_2d(values)
        steps = [-(-size // _MOST) for size in matrix.shape]
        pixels = _coloured(matrix[:: steps[0], :: steps[1]])
    else:
        return None
    width = pixels.shape[1] * max(1, min(12, _WIDTH // pixels.shape[1]))
    data = b64encode(png(pixels)).decode("ascii")
    style = f"width:{width}px;image-rendering:pixelated;display:block;margin:4px 0"
    return f'<img alt="the values" style="{style}" src="data:image/png;base64,{data}">'


def _gray_or_colour(images: np.ndarray) -> np.ndarray:
    finite = np.isfinite(images)
    low, high = (images[finite].min(), images[finite].max()) if finite.any() else (0.0, 0.0)
    levels = np.where(finite, images - low, 0.0) / ((high - low) or 1.0) * 255
    return np.rint(levels).astype(np.uint8)


def _coloured(matrix: np.ndarray) -> np.ndarray:
    finite = np.isfinite(matrix)
    known = np.where(finite, matrix, 0.0)
    reach = np.abs(known).max() or 1.0
    is_signed = bool((known < 0).any())
    stops = np.array(_SIGNED if is_signed else _UNSIGNED, np.float64)
    places = (known / reach + 1) / 2 if is_signed else known / reach
    grid = np.linspace(0, 1, len(stops))
    colours = np.stack([np.interp(places, grid, stops[:, i]) for i in range(3)], axis=-1)
    colours[~finite] = _STRANGE
    return np.rint(colours).astype(np.uint8)
