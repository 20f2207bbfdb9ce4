"""RandomElasticTransform: images deformed like rubber."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, Unpack
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    BoxOptions,
    Factor,
)
from nkeras.ops.image.elastic import deformed
from nkeras.ops.image.sampling import checked_mode, order_of
from nkeras.ops.random import units

STRENGTH = 0.1
"""How far pixels move for `scale=1`, in parts of the image's longer side."""
SMOOTHNESS = 0.05
"""How wide the window is that makes near pixels move alike, in parts of the shorter side."""
LEAST = 1e-6


class RandomElasticTransform(BaseImagePreprocessingLayer):
    """In training, moves the pixels of images at random, near ones alike, and masks with them.

    Args:
        factor: how likely an image is transformed: for a float `f` a probability between 0 and `f`
            is drawn for each image, for two between these.
        scale: how strong the deformation is, from 0 to 1: at most so much, or between two numbers.
        interpolation: `"nearest"` or `"bilinear"`; masks always take the nearest pixel.
        fill_mode: what lies beyond the edges: `"constant"`, `"nearest"`, `"reflect"`, `"wrap"` or
            `"mirror"`, see `nkeras.ops.image.map_coordinates`.
        fill_value: the value for `"constant"`.
        value_range: least and largest value of the result.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`), without boxes, as
    in Keras; `training`, True by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is unknown, or `factor` or `scale` lie outside of [0, 1].
        NotImplementedError: in a call, there are boxes.

    Example:
        >>> import nkeras
        >>> layer = RandomElasticTransform(seed=1)
        >>> layer(nkeras.ops.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)

    Source: Simard, Steinkraus and Platt (2003), "Best practices for convolutional neural networks".
    In Keras masks are deformed in another way than their images, and all pixels move along one
    diagonal; here masks move with their images, and height and width differ.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: Factor = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self.scale = self._range("scale", scale)
        order_of(interpolation, "RandomElasticTransform")
        self.interpolation = interpolation
        self.fill_mode = checked_mode(fill_mode, "RandomElasticTransform")
        self.fill_value = fill_value
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """Which images to deform, how strongly, and the seed of the directions."""
        if not training or self.scale[1] == 0 or self.factor[1] == 0:
            return None
        of_images, of_strength, of_directions = self._seeds(3, seed)
        likely, drawn = self._draw(data, self.factor, (0.0, 1.0), seed=of_images, axes=1)
        (unit,) = units(1, (), of_strength, "float32")
        lower, upper = self.scale
        return {
            "apply_transform": ops.less(drawn, likely),
            "distortion_factor": unit * (upper - lower) + lower,
            "seed": of_directions,
        }

    def _transform_images(self, images: Tensor, transformation: Any, interpolation: str) -> Tensor:
        if transformation is None:
            return images
        _, height, width = self._sizes(images)
        factor = to_tensor(transformation["distortion_factor"])
        done = deformed(
            images,
            factor * (STRENGTH * max(height, width)),
            ops.maximum(factor * (SMOOTHNESS * min(height, width)), LEAST),
            SMOOTHNESS * min(height, width) * self.scale[1],
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            seed=transformation["seed"],
            data_format=self.data_format,
        )
        is_done = ops.reshape(to_tensor(transformation["apply_transform"]), (-1, 1, 1, 1))
        if len(images.shape) == 3:
            is_done = ops.squeeze(is_done, 0)
        low, high = self.value_range
        return ops.cast(ops.clip(ops.where(is_done, done, images), low, high), self.compute_dtype)
