"""Pictures of weights."""

from __future__ import annotations

import numpy as np

_CHANNELS = (1, 3, 4)  # of images


def weight_images(weight: np.ndarray, channels_last: bool) -> np.ndarray | None:
    """A weight as images `(images, height, width, channels)` of uint8, as Keras lays it out.

    Zero is gray, the largest magnitude black or white; weights without negative numbers go from
    black to white.

    Args:
        weight: a vector becomes a column, a matrix one image, lying; of three axes each slice of
            the last one (the first one, with channels first) becomes an image; of four, each of
            the first.
        channels_last: `nkeras.config.image_data_format() == "channels_last"`.

    Returns:
        The images; None where the weight has other axes, or last ones that are no colours.
    """
    image = np.squeeze(weight)
    if image.ndim == 1:
        image = image.reshape(1, -1, 1, 1)
    elif image.ndim == 2:
        image = image.T if image.shape[0] > image.shape[1] else image
        image = image[None, :, :, None]
    elif image.ndim == 3:
        image = (image.transpose(2, 0, 1) if channels_last else image)[..., None]
    if image.ndim != 4 or image.shape[-1] not in _CHANNELS or image.size == 0:
        return None
    if np.iscomplexobj(image):
        image = np.abs(image)
    return _gray_levels(image.astype(np.float64))


def _gray_levels(image: np.ndarray) -> np.ndarray:
    known = np.where(np.isfinite(image), image, 0.0)
    largest = np.abs(known).max() or 1.0
    if known.min() < 0:
        known = (known / largest + 1.0) / 2.0
    else:
        known = known / largest
    return np.round(known * 255.0).astype(np.uint8)
