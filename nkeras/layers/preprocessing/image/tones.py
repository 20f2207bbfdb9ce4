"""Layers that change the values of pixels, each channel for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import (
    BoxOptions,
    Factor,
    ImageOptions,
    Transformation,
)
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.ops.image import tones


class RandomBrightness(ColorLayer):
    """In training, adds a number to all values of an image, another one for each image.

    Args:
        factor: number from -1 to 1, or the least and the largest one: what is added, as a part of
            `value_range`. One number f stands for `(-f, f)`.
        value_range: the least and the largest value of a pixel; results stay in it.
        seed: int.
        **kwargs: what every layer takes, `bounding_box_format` and `data_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> layer = RandomBrightness((0.1, 0.1))
        >>> layer([[[10.0, 250.0]]], training=True).numpy().ravel()
        array([ 35.5, 255. ], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_brightness/
    Keras adds to integers in their dtype, where what is too much begins again at 0.
    """

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(factor=factor, **kwargs)
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """What is added, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        low, high = self.value_range
        (change,) = self._draw(data, self.factor, seed=seed)
        return {"rgb_delta": change * float(high - low)}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Brighter or darker images."""
        images = self._as_images(images)
        if not training:
            return images
        change = self._as_images(transformation["rgb_delta"])
        return tones.shifted(images, change, *self._limits())


class RandomContrast(ColorLayer):
    """In training, multiplies the differences of an image from the mean of each channel.

    Args:
        factor: number from 0 to 1, or two: with `(lower, upper)` the differences are multiplied by
            a number from `1 - lower` to `1 + upper`. One number stands for both.
        value_range: the least and the largest value of a pixel; results stay in it.
        seed: int.
        **kwargs: what every layer takes, `bounding_box_format` and `data_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> layer = RandomContrast(0.5)
        >>> drawn = {"contrast_factor": [[[[0.5]]]]}
        >>> layer.transform_images([[[[0.0], [100.0]]]], drawn).numpy().ravel()
        array([25., 75.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_contrast/
    Against its documentation, Keras 3.15 takes one number f for `(0, f)` and never lowers the
    contrast.
    """

    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(**kwargs)
        self._set_factor((factor, factor) if isinstance(factor, (int, float)) else factor)
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """What differences are multiplied by, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        lower, upper = self.factor
        (factor,) = self._draw(data, (1.0 - lower, 1.0 + upper), seed=seed)
        return {"contrast_factor": factor}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Images with more or less contrast."""
        images = self._as_images(images)
        if not training:
            return images
        factor = self._as_images(transformation["contrast_factor"])
        return tones.with_contrast(images, factor, self._spatial_axes(), *self._limits())


class RandomInvert(ColorLayer):
    """In training, inverts the values of some images: `low + high - x`.

    Args:
        factor: probability from 0 to 1, or the least and the largest one, between which that of
            each image is drawn. One number f stands for `(0, f)`.
        value_range: the least and the largest value of a pixel, `(low, high)`.
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
        >>> layer = RandomInvert((1.0, 1.0))
        >>> layer([[[0.0, 100.0]]], training=True).numpy().ravel()
        array([255., 155.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_invert/
    Keras forgets the least value, which matters if it is not 0.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor = 1.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """Which images to invert, `(batch,)`."""
        if not training:
            return None
        likely, drawn = self._draw(data, self.factor, (0.0, 1.0), seed=seed, axes=1)
        return {"apply_inversion": ops.less(drawn, likely)}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Images, some of them inverted."""
        if not training or transformation is None:
            return self._as_images(images)
        images = to_tensor(images)
        chosen = self._for_each(transformation["apply_inversion"])
        if self._are_bytes(images):
            return self._as_result(tones.inverted(chosen, images, 255))
        return tones.inverted(chosen, self._as_images(images), float(sum(self.value_range)))


class RandomPosterization(ColorLayer):
    """In training, keeps the highest bits of the 8 bits that the values of pixels have.

    Args:
        factor: how many bits, from 1 to 8, or the least and the largest number, between which that
            of each image is drawn. One number n stands for `(1, n)`.
        value_range: the least and the largest value of a pixel, which are 0 and 255 in bits.
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
        >>> layer = RandomPosterization(1)
        >>> layer([[[87.0, 128.0, 235.0]]], training=True).numpy().ravel()
        array([  0., 128., 128.], dtype=float32)

    Source: Cubuk et al. (2019), https://arxiv.org/abs/1805.09501 Keras never draws the largest
    number of bits.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (1, 8)

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
        """How many bits to clear, uint8 `(batch,)`."""
        if not training:
            return None
        least, largest = self.factor
        (bits,) = self._draw(data, (least, largest + 1), seed=seed, axes=1)
        return {"shift_factor": ops.cast(8.0 - ops.floor(bits), "uint8")}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Images with fewer different values."""
        if not training:
            return self._as_images(images)
        images = to_tensor(images)
        cleared = self._for_each(ops.cast(transformation["shift_factor"], "int32"))
        step = ops.left_shift(1, cleared)
        if self._are_bytes(images):
            kept = ops.cast(256 - step, "uint8")
            return self._as_result(ops.bitwise_and(images, kept))
        return tones.posterized(self._as_images(images), self._as_images(step), *self._limits())


class Solarization(ColorLayer):
    """In training, adds a number to an image, then inverts what is not below a threshold.

    Args:
        addition_factor: number from 0 to 1, or the least and the largest one: what is added, as a
            part of `value_range`. One number f stands for `(0, f)`.
        threshold_factor: the same for the threshold; with 0 all values are inverted.
        value_range: the least and the largest value of a pixel; results stay in it.
        seed: int.
        **kwargs: what every layer takes, `bounding_box_format` and `data_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> layer = Solarization(threshold_factor=(0.5, 0.5))
        >>> layer([[[100.0, 191.0]]], training=True).numpy().ravel()
        array([100.,  64.], dtype=float32)

    Source: Cubuk et al. (2019), https://arxiv.org/abs/1805.09501 Keras takes the least one of two
    factors for a part of a 255th of the range.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        addition_factor: Factor = 0.0,
        threshold_factor: Factor = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.addition_factor = self._range("addition_factor", addition_factor)
        self.threshold_factor = self._range("threshold_factor", threshold_factor)
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """What is added, and the thresholds, as 255ths of the range, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        ranges = (self.addition_factor, self.threshold_factor)
        additions, thresholds = self._draw(data, *ranges, seed=seed)
        return {"additions": additions * 255.0, "thresholds": thresholds * 255.0}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Images whose brighter parts are inverted."""
        images = self._as_images(images)
        if not training or transformation is None:
            return images
        drawn = [self._as_images(transformation[name]) for name in ("additions", "thresholds")]
        return tones.solarized(images, *drawn, *self._limits())
