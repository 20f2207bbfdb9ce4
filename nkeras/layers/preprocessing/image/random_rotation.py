"""RandomRotation: images turned around their middle."""

from __future__ import annotations

import math
from typing import Any

from nkeras import ops
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor
from nkeras.layers.preprocessing.image.warping import WarpingLayer, matrix_of


class RandomRotation(WarpingLayer):
    """In training, turns each image by an angle of its own, and boxes and masks with it.

    Args:
        factor: a part of a full turn: for a float `f` angles lie between `-f` and `f`, for two
            between these. Positive ones turn counter-clockwise.
        fill_mode: what lies beyond the edges: `"constant"`, `"nearest"`, `"reflect"`, `"wrap"` or
            `"mirror"`, see `nkeras.ops.image.map_coordinates`.
        interpolation: `"nearest"` or `"bilinear"`; masks always take the nearest pixel.
        seed: int.
        fill_value: the value for `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is unknown, or `factor` lies outside of [-1, 1].

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape(nkeras.ops.arange(9), (3, 3, 1))
        >>> RandomRotation((0.25, 0.25))(image).numpy()[..., 0].round(3)
        array([[2., 5., 8.],
               [1., 4., 7.],
               [0., 3., 6.]], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_rotation/
    Keras takes boxes for `"xyxy"` whatever `bounding_box_format` says.
    """

    def __init__(
        self,
        factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self._set_sampling(interpolation, fill_mode, fill_value)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """Angles in degrees, matrices, and the images' sizes."""
        if not training:
            return None
        batch, height, width = self._sizes(data)
        lower, upper = self.factor
        (angle,) = self._draw(data, (lower * 360.0, upper * 360.0), seed=seed, axes=1)
        return {
            "angle": angle,
            "rotation_matrix": _rotation(angle, height, width),
            "image_height": height,
            "image_width": width,
            "batch_size": batch,
        }

    def _matrix(self, transformation: dict[str, Any]) -> Tensor:
        return transformation["rotation_matrix"]

    def _image_size(self, transformation: dict[str, Any]) -> tuple[int, int]:
        return transformation["image_height"], transformation["image_width"]


def _rotation(degrees: Tensor, height: int, width: int) -> Tensor:
    """Matrices that turn around the middle of the pixels' centers."""
    turned = degrees * (math.pi / 180.0)
    cos, sin = ops.cos(turned), ops.sin(turned)
    x, y = (width - 1) / 2.0, (height - 1) / 2.0
    to_x, to_y = x - cos * x + sin * y, y - sin * x - cos * y
    return matrix_of(cos, -sin, to_x, sin, cos, to_y, 0.0, 0.0)
