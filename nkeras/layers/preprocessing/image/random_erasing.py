"""RandomErasing: rectangles of images become noise or a color."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import (
    BoxOptions,
    Factor,
    Sizes,
    Transformation,
    shape_of,
)
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.layers.preprocessing.image.patches import inside, intervals, is_symbolic
from nkeras.ops.random import normal, units


class RandomErasing(ColorLayer):
    """In training, fills a rectangle of some images with noise, or with a color.

    Args:
        factor: probability from 0 to 1, or the least and the largest one, between which that of
            each image is drawn. One number f stands for `(0, f)`.
        scale: the least and the largest part of the image that is erased; height and width are
            drawn for themselves, as square roots of such parts. One number s stands for `(0, s)`.
        fill_value: a number, or one for each of three channels; None for normal random numbers
            times the largest value of a pixel.
        value_range: the least and the largest value of a pixel; the filling stays in it.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> layer = RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=7)
        >>> layer([[[1.0], [2.0], [3.0]]], training=True).numpy().ravel()
        array([7., 7., 7.], dtype=float32)

    Source: Zhong et al. (2017), https://arxiv.org/abs/1708.04896 Noise is drawn for a rectangle of
    the largest size, and repeats beside it.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: Factor = (0.02, 0.33),
        fill_value: float | Sequence[float] | None = None,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self.scale = self._range("scale", scale)
        is_color = is_a(fill_value, (tuple, list)) and len(fill_value) == 3  # type: ignore[arg-type]
        if not (fill_value is None or is_a(fill_value, (int, float)) or is_color):
            refuse("fill_value", fill_value, "a number, three of them, or None", "RandomErasing")
        self.fill_value = fill_value
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """Which images and which of their pixels to erase, and what they become."""
        if not training or is_symbolic(data):
            return None
        sizes = self._sizes(data)
        of_images, of_parts, of_places, of_noise = self._seeds(4, seed)
        likely, drawn = self._draw(data, self.factor, (0.0, 1.0), seed=of_images, axes=1)
        (parts,) = units(1, (sizes.batch, 2), of_parts, "float32")
        least, largest = self.scale
        shares = ops.sqrt(parts * (largest - least) + least)
        first, last = intervals(sizes, shares, of_places)
        channels = shape_of(data)[self.channel_axis]
        return {
            "apply_erasing": ops.less(drawn, likely),
            "batch_masks": inside(sizes, first, last, self.channel_axis, channels),
            "fill_value": self._filling(sizes, channels, of_noise),
        }

    def _filling(self, sizes: Sizes, channels: int, seed: Any) -> Tensor:
        low, high = self._limits()
        if self.fill_value is not None:
            color = np.clip(np.array(self.fill_value, "float32"), low, high)
            if color.ndim and self.channel_axis == -3:
                color = color.reshape(3, 1, 1)
            return to_tensor(color, self.compute_dtype)
        axes = {self.height_axis: sizes.height, self.width_axis: sizes.width}
        side = math.sqrt(self.scale[1])
        shape = [sizes.batch, channels, channels, channels]
        for axis, size in axes.items():
            shape[axis] = max(1, math.ceil(side * size))
        noise = ops.clip(normal(tuple(shape), seed=seed) * high, low, high)
        for axis, size in axes.items():
            noise = ops.take(noise, np.arange(size) % shape[axis], axis=axis)
        return self._as_images(noise)

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Images, some of them with a rectangle erased."""
        images = self._as_images(images)
        if not training or transformation is None:
            return images
        chosen = ops.logical_and(
            transformation["batch_masks"], self._for_each(transformation["apply_erasing"])
        )
        return ops.where(chosen, self._as_images(transformation["fill_value"]), images)
