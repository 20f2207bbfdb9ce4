"""RandomErasing: rectangles of images become noise or a color."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.random import draw_seed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import (
    BoxOptions,
    Factor,
    Transformation,
    shape_of,
)
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.layers.preprocessing.image.patches import (
    edges,
    inside,
    intervals,
    is_symbolic,
    pasted,
    planes_of,
)
from nkeras.ops.image.layout import as_before
from nkeras.ops.image.rectangles import paste_noise
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
        drawn = self._rectangles(data, training, seed)
        if drawn is None:
            return None
        sizes, channels = self._sizes(data), shape_of(data)[self.channel_axis]
        masks = inside(sizes, drawn["first"], drawn["last"], self.channel_axis, channels)
        filling = self._color() if drawn["noise"] is None else self._noise(data, drawn["noise"])
        return {
            "apply_erasing": drawn["apply_erasing"],
            "batch_masks": masks,
            "fill_value": filling,
        }

    def _transformation(self, data: Structure, training: bool) -> dict[str, Any] | None:
        if type(self).get_random_transformation is not RandomErasing.get_random_transformation:
            return super()._transformation(data, training)
        return self._rectangles(data, training)

    def _rectangles(
        self, data: Structure, training: bool, seed: Seed = None
    ) -> dict[str, Any] | None:
        """The same, with the ends of the rectangles, and with the seed of the noise or None."""
        if not training or is_symbolic(data):
            return None
        sizes = self._sizes(data)
        of_images, of_parts, of_places, of_noise = self._seeds(4, seed)
        likely, drawn = self._draw(data, self.factor, (0.0, 1.0), seed=of_images, axes=1)
        (parts,) = units(1, (sizes.batch, 2), of_parts, "float32")
        least, largest = self.scale
        shares = ops.sqrt(parts * (largest - least) + least)
        first, last = intervals(sizes, shares, of_places)
        return {
            "apply_erasing": ops.less(drawn, likely),
            "noise": of_noise if self.fill_value is None else None,
            **edges(first, last),
        }

    def _color(self) -> Tensor:
        color = np.clip(np.array(self.fill_value, "float32"), *self._limits())
        if color.ndim and self.channel_axis == -3:
            color = color.reshape(3, 1, 1)
        return self._as_images(color)

    def _noise_size(self, data: Structure) -> tuple[int, int]:
        """Height and width of the largest rectangle, for which noise is drawn."""
        side, sizes = math.sqrt(self.scale[1]), self._sizes(data)
        height, width = (max(1, math.ceil(side * size)) for size in sizes[1:])
        return height, width

    def _noise(self, data: Structure, seed: Any) -> Tensor:
        """Noise for all pixels."""
        low, high = self._limits()
        shape = [self._sizes(data).batch, *(shape_of(data)[self.channel_axis],) * 3]
        axes = dict(zip(self._spatial_axes(), self._noise_size(data), strict=True))
        for axis, size in axes.items():
            shape[axis] = size
        noise = ops.clip(normal(tuple(shape), dtype="float32", seed=seed) * high, low, high)
        for axis, size in zip(axes, self._sizes(data)[1:], strict=True):
            noise = ops.take(noise, np.arange(size) % shape[axis], axis=axis)
        return self._as_images(noise)

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Images, some of them with a rectangle erased."""
        images = to_tensor(images)
        stays_bytes = images.dtype == self.compute_dtype and self._are_bytes(images)
        images = images if stays_bytes else self._as_images(images)
        if not training or transformation is None:
            return images
        if "batch_masks" not in transformation:
            return self._erased(images, transformation)
        chosen = ops.logical_and(
            transformation["batch_masks"], self._for_each(transformation["apply_erasing"])
        )
        filling = as_before(self._as_images(transformation["fill_value"]), images.dtype)
        return ops.where(chosen, filling, images)

    def _erased(self, images: Tensor, drawn: Transformation) -> Tensor:
        """Images whose rectangles are filled, where they are to be erased."""
        applied = ops.reshape(drawn["apply_erasing"], (-1, 1))
        ends = {"first": drawn["first"], "last": ops.where(applied, drawn["last"], 0)}
        if drawn["noise"] is None:
            batch, channels = images.shape[0], images.shape[self.channel_axis]
            one = (1, 1, 1, channels) if self.channel_axis == -1 else (1, channels, 1, 1)
            order = to_tensor(np.zeros(batch, "int32"))
            color = ops.broadcast_to(as_before(self._color(), images.dtype), one)
            return pasted(images, color, order, ends, self.channel_axis)
        low, high = self._limits()
        found = paste_noise(
            planes_of(images, self.channel_axis),
            ends["first"],
            ends["last"],
            key=draw_seed(drawn["noise"]),
            size=self._noise_size(images),
            scale=high,
            limits=(low, high),
        )
        return ops.reshape(found, images.shape)
