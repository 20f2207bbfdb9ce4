"""RandomColorJitter: brightness, contrast, saturation and hue in one layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, Transformation
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.layers.preprocessing.image.colors import RandomHue, RandomSaturation
from nkeras.layers.preprocessing.image.tones import RandomBrightness, RandomContrast


class RandomColorJitter(ColorLayer):
    """In training, changes brightness, contrast, saturation and hue, in this order.

    Args:
        value_range: the least and the largest value of a pixel; results stay in it.
        brightness_factor: see `RandomBrightness`; None to leave it as it is, as for the others.
        contrast_factor: see `RandomContrast`.
        saturation_factor: see `RandomSaturation`.
        hue_factor: see `RandomHue`.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, 3)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument or the number of channels is wrong.

    Example:
        >>> layer = RandomColorJitter(brightness_factor=(0.2, 0.2))
        >>> layer([[[0.0, 100.0, 250.0]]], training=True).numpy().ravel()
        array([ 51., 151., 255.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/ Keras takes images
    with channels first for others.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        brightness_factor: Factor | None = None,
        contrast_factor: Factor | None = None,
        saturation_factor: Factor | None = None,
        hue_factor: Factor | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_value_range(value_range)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        self._set_seed(seed)
        kinds: dict[str, tuple[Callable[..., ColorLayer], Factor | None]] = {
            "random_brightness": (RandomBrightness, brightness_factor),
            "random_contrast": (RandomContrast, contrast_factor),
            "random_saturation": (RandomSaturation, saturation_factor),
            "random_hue": (RandomHue, hue_factor),
        }
        shared: dict[str, Any] = {"value_range": self.value_range, "seed": seed}
        shared |= {"data_format": data_format, "dtype": self.dtype_policy}
        for name, (kind, factor) in kinds.items():
            setattr(self, name, None if factor is None else kind(factor, **shared))

    def _parts(self) -> Iterator[tuple[str, ColorLayer]]:
        for name in ("random_brightness", "random_contrast", "random_saturation", "random_hue"):
            if getattr(self, name) is not None:
                yield name, getattr(self, name)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """What each of the layers inside draws, by its name."""
        if not training:
            return None
        parts = list(self._parts())
        return {
            name: part.get_random_transformation(data, seed=one)
            for (name, part), one in zip(parts, self._seeds(len(parts), seed), strict=True)
        }

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Images in other colors."""
        images = self._as_images(images)
        if not training:
            return images
        if transformation is None:
            transformation = self.get_random_transformation(images)
        for name, part in self._parts():
            images = part.transform_images(images, transformation[name])
        return images
