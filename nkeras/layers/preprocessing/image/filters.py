"""Layers that mix each pixel with those around it: blurred and sharper images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, Transformation
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.ops.image import gaussian_blur, tones
from nkeras.ops.random import units


class RandomGaussianBlur(ColorLayer):
    """In training, blurs some images by a Gaussian window, the same for the whole batch.

    Args:
        factor: probability from 0 to 1, or the least and the largest one, between which that of
            each image is drawn. One number f stands for `(0, f)`.
        kernel_size: side of the window, an odd number, or two: height and width.
        sigma: standard deviation of the window in pixels, or the least and the largest one, between
            which that of the height and that of the width are drawn. One number s stands for
            `(0, s)`.
        value_range: the least and the largest value of a pixel; results stay in it.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> layer = RandomGaussianBlur((1.0, 1.0), sigma=(1.0, 1.0))
        >>> layer([[[0.0], [100.0], [0.0]]], training=True).numpy().ravel().round(1)
        array([12.4, 20.4, 12.4], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/ Beyond the edges
    there is black. Keras refuses one `sigma` above 1, and takes the first numbers of pairs for the
    width.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor = 1.0,
        kernel_size: int | Sequence[int] = 3,
        sigma: Factor = 1.0,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self.kernel_size = _window(kernel_size)
        self.sigma = self._range("sigma", sigma, (0, math.inf))
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """Which images to blur, `(batch,)`, and two standard deviations."""
        if not training:
            return None
        of_images, of_sigma = self._seeds(2, seed)
        likely, drawn = self._draw(data, self.factor, (0.0, 1.0), seed=of_images, axes=1)
        (unit,) = units(1, (2,), of_sigma, "float32")
        low, high = self.sigma
        return {
            "should_apply_blur": ops.less(drawn, likely),
            "blur_factor": unit * (high - low) + (low + 1e-6),
        }

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Images, some of them blurred."""
        images = self._as_images(images)
        if not training or transformation is None:
            return images
        blurred = gaussian_blur(
            images, self.kernel_size, transformation["blur_factor"], self.data_format
        )
        chosen = self._for_each(transformation["should_apply_blur"])
        return ops.clip(ops.where(chosen, blurred, images), *self._limits())


class RandomSharpness(ColorLayer):
    """In training, moves an image away from its blurred version, or towards it.

    Args:
        factor: number from 0 to 1, or the least and the largest one: 0 gives the blurred image, 0.5
            changes nothing, 1 makes edges stronger. One number f stands for `(0, f)`.
        value_range: the least and the largest value of a pixel; results stay in it.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> layer = RandomSharpness((0.0, 0.0))
        >>> layer([[[0.0], [130.0], [0.0]]], training=True).numpy().ravel()
        array([10., 50., 10.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/ Beyond the edges
    there is black.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """How sharp, `(batch,)`."""
        if not training:
            return None
        (factor,) = self._draw(data, self.factor, seed=seed, axes=1)
        return {"factor": factor}

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Sharper or softer images."""
        images = self._as_images(images)
        if not training:
            return images
        factor = self._for_each(self._as_images(to_tensor(transformation["factor"]) * 2.0))
        is_first = self.data_format == "channels_first"
        return tones.sharpened(images, factor, is_first, *self._limits())


def _window(kernel_size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of the window."""
    sizes = (kernel_size,) * 2 if isinstance(kernel_size, (int, float)) else tuple(kernel_size)
    if len(sizes) != 2 or not all(is_a(one, (int, float)) and one % 2 == 1 for one in sizes):
        refuse("kernel_size", kernel_size, "an odd number, or two of them", "RandomGaussianBlur")
    height, width = sizes
    return int(height), int(width)
