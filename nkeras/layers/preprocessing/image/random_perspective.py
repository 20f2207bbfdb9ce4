"""RandomPerspective: images whose corners are moved."""

from __future__ import annotations

from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, shape_of
from nkeras.layers.preprocessing.image.warping import WarpingLayer, matrix_of
from nkeras.ops.image.transform import homography


class RandomPerspective(WarpingLayer):
    """In training, sees images in perspective, and boxes and masks with them.

    The corner on top left stays where it is; of the others each is moved along x and y by a part of
    its own distance from it.

    Args:
        factor: how likely an image is transformed: for a float `f` a probability between 0 and `f`
            is drawn for each image, for two between these.
        scale: the corners move by a part of at most half of this, from 0 to 1.
        interpolation: `"nearest"` or `"bilinear"`; masks always take the nearest pixel.
        fill_value: the value of what lies outside an image.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is unknown, or `factor` or `scale` lie outside of [0, 1].

    Example:
        >>> import nkeras
        >>> layer = RandomPerspective(1.0, 0.3, seed=1)
        >>> layer(nkeras.ops.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_perspective/
    Keras gives boxes back as `"xyxy"` whatever `bounding_box_format` says.
    """

    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        if isinstance(scale, bool) or not is_a(scale, (int, float)) or not 0 <= scale <= 1:
            refuse("scale", scale, "a number from 0 to 1", "RandomPerspective")
        self.scale = scale
        self._set_sampling(interpolation, "constant", fill_value)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """Which images to transform, where their corners are and where they go."""
        if not training:
            return None
        batch, height, width = self._sizes(data)
        reach = (-0.5 * self.scale, 0.5 * self.scale)
        drawn = self._draw(data, self.factor, (0.0, 1.0), *[reach] * 8, seed=seed, axes=1)
        parts = ops.reshape(ops.stack(drawn[2:], -1), (batch, 4, 2))
        right, bottom = float(width - 1), float(height - 1)
        corners = to_tensor([[[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]]], "float32")
        corners = ops.repeat(corners, batch, axis=0)
        return {
            "apply_perspective": ops.less(drawn[1], drawn[0]),
            "start_points": corners,
            "end_points": corners + corners * parts,
            "input_shape": shape_of(data),
        }

    def _matrix(self, transformation: dict[str, Any]) -> Tensor:
        """Images that are left alone get the matrix that changes nothing."""
        points = [to_tensor(transformation[name]) for name in ("start_points", "end_points")]
        matrix = homography(*points)
        is_moved = ops.expand_dims(to_tensor(transformation["apply_perspective"]), -1)
        still = matrix_of(*[ops.full_like(matrix[..., 0], one) for one in _STILL])
        return ops.where(is_moved, matrix, still)


_STILL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
