"""Layers that change colors: red, green and blue together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from nkeras import ops
from nkeras.core.errors import refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, Transformation
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.ops.image import rgb_to_grayscale, tones
from nkeras.ops.image.colors import with_turned_hue

_MOST = 1e7
"""What a saturation is multiplied by where the factor is 1: all colors become full ones."""


class _ColorRange(ColorLayer):
    """Layers with a factor and a range of values; one number f stands for `(0, f)`."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor((0, abs(factor)) if isinstance(factor, (int, float)) else factor)
        self._set_value_range(value_range)
        self._set_seed(seed)

    def _as_colors(self, images: TensorLike) -> Tensor:
        """Images in the compute dtype, which must have three channels."""
        images = self._as_images(images)
        channels = images.shape[self.channel_axis]
        if channels != 3:
            raise ValueError(
                f"{type(self).__name__}: images must have 3 channels ({self.data_format}). "
                f"Received {channels} channels in the shape {images.shape}"
            )
        return images


class RandomSaturation(_ColorRange):
    """In training, makes colors paler or fuller; hue and the largest channel stay as they are.

    Args:
        factor: number from 0 to 1, or the least and the largest one: 0 gives grey, 0.5 changes
            nothing, 1 makes all colors full ones. One number f stands for `(0, f)`.
        value_range: the least and the largest value of a pixel.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, 3)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument or the number of channels is wrong.

    Example:
        >>> layer = RandomSaturation((0.0, 0.0))
        >>> layer([[[10.0, 40.0, 20.0]]], training=True).numpy().ravel()
        array([40., 40., 40.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_saturation/
    A saturation ends at 1. Keras lets it grow up to the largest value of `value_range`, which gives
    negative colors, and takes floats alone; against its documentation one number f is `(-f, f)`.
    """

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """What the saturation is multiplied by, `(batch,)`."""
        if not training:
            return None
        (factor,) = self._draw(data, self.factor, seed=seed, axes=1)
        return {"factor": factor / (1.0 - factor + 1.0 / _MOST)}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Paler or more colorful images."""
        images = self._as_colors(images)
        if not training:
            return images
        factor = ops.clip(transformation["factor"], 0.0, self._largest())
        low = float(self.value_range[0])
        shifted = images - low if low else images
        found = tones.saturated(shifted, self._for_each(self._as_images(factor)), self.channel_axis)
        return found + low if low else found

    def _largest(self) -> float:
        """What float16 can hold."""
        return 6e4 if self.compute_dtype == "float16" else _MOST


class RandomHue(_ColorRange):
    """In training, turns the hues of an image, by the same angle in either direction.

    Args:
        factor: number from 0 to 1, or the least and the largest one: how far, where 1 is half a
            turn. One number f stands for `(0, f)`.
        value_range: the least and the largest value of a pixel; results stay in it.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, 3)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument or the number of channels is wrong.

    Example:
        >>> layer = RandomHue(0.5)
        >>> layer.transform_images([[[[90.0, 0.0, 0.0]]]], {"factor": [1 / 3]}).numpy().round(3)
        array([[[[ 0., 90.,  0.]]]], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_hue/
    """

    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """By which part of a turn, `(batch,)`."""
        if not training:
            return None
        side, factor = self._draw(data, (0.0, 1.0), self.factor, seed=seed, axes=1)
        return {"factor": ops.where(ops.greater(side, 0.5), factor * -0.5, factor * 0.5)}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Images in other colors."""
        images = self._as_colors(images)
        if not training:
            return images
        low, high = self._limits()
        shifted = images - low if low else images
        turns = ops.reshape(to_tensor(transformation["factor"]), (-1, 1, 1))
        turned = with_turned_hue(shifted, turns, self.channel_axis)
        return tones.shifted(turned, low, low, high)


class RandomColorDegeneration(_ColorRange):
    """In training, mixes an image with its grey version.

    Args:
        factor: number from 0 to 1, or the least and the largest one: how much of the grey version;
            1 is grey. One number f stands for `(0, f)`.
        value_range: the least and the largest value of a pixel; results stay in it.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, 3)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument or the number of channels is wrong.

    Example:
        >>> layer = RandomColorDegeneration((1.0, 1.0))
        >>> layer([[[100.0, 0.0, 0.0]]], training=True).numpy().ravel().round(2)
        array([29.89, 29.89, 29.89], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/ Against its
    documentation, one number f is `(-f, f)` in Keras, and half of the images get more colorful.
    """

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """How much grey, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        (factor,) = self._draw(data, self.factor, seed=seed)
        return {"factor": factor}

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Paler images."""
        images = self._as_colors(images)
        if not training:
            return images
        grey = rgb_to_grayscale(images, data_format=self.data_format)
        return tones.blended(
            images, grey, self._as_images(transformation["factor"]), *self._limits()
        )


class RandomGrayscale(ColorLayer):
    """In training, makes some images grey; they keep three channels, which are equal then.

    Args:
        factor: probability from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, 3)` or one image, or channels first; any dtype.
    Output shape: the same, of the same dtype.

    Raises:
        ValueError: an argument or the number of channels is wrong.

    Example:
        >>> layer = RandomGrayscale(1.0)
        >>> layer([[[100.0, 0.0, 0.0]]], training=True).numpy().ravel().round(2)
        array([29.89, 29.89, 29.89], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/ In Keras it takes
    no dict.
    """

    config_omits: ClassVar[Mapping[str, object]] = {**ColorLayer.config_omits, "seed": None}
    _USE_BASE_FACTOR: ClassVar[bool] = False

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if not isinstance(factor, (int, float)) or not 0 <= factor <= 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            refuse("factor", factor, "a number from 0 to 1", "RandomGrayscale")
        self.factor = factor  # pyright: ignore[reportAttributeAccessIssue]  a probability alone
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> Tensor | None:
        """Which images become grey, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        (drawn,) = self._draw(data, (0.0, 1.0), seed=seed)
        return ops.less(drawn, float(self.factor))  # pyright: ignore[reportArgumentType]

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Images, some of them grey."""
        images = to_tensor(images)
        if not training:
            return images
        if transformation is None:
            transformation = self.get_random_transformation(images)
        return ops.where(transformation, rgb_to_grayscale(images, self.data_format), images)
