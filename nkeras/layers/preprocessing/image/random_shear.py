"""RandomShear: images whose rows or columns are moved, the farther the more."""

from __future__ import annotations

from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, shape_of
from nkeras.layers.preprocessing.image.warping import WarpingLayer, matrix_of


class RandomShear(WarpingLayer):
    """In training, shears each image, and boxes and masks with it.

    Args:
        x_factor: by which part of its distance from the top a row is moved: for a float `f` between
            `-f` and `f`, for two between these, in either direction.
        y_factor: likewise of columns and their distance from the left.
        interpolation: `"nearest"` or `"bilinear"`; masks always take the nearest pixel.
        fill_mode: what lies beyond the edges: `"constant"`, `"nearest"`, `"reflect"`, `"wrap"` or
            `"mirror"`, see `nkeras.ops.image.map_coordinates`.
        fill_value: the value for `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is unknown, or a factor lies outside of [0, 1].

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], (2, 3, 1))
        >>> layer = RandomShear(fill_mode="constant")
        >>> drawn = {"shear_factor": [[-1.0, 0.0]], "input_shape": (2, 3, 1)}
        >>> layer.transform_single_image(image, drawn).numpy()[..., 0]
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_shear/ Boxes
    are those around the sheared corners. Keras shears them in parts of the image's sizes, which is
    right for squares alone, and the second direction by a formula for small factors.
    """

    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        x_factor: Factor = 0.0,
        y_factor: Factor = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.x_factor = self._shears("x_factor", x_factor)
        self.y_factor = self._shears("y_factor", y_factor)
        self._set_sampling(interpolation, fill_mode, fill_value)
        self._set_seed(seed)

    def _shears(self, argument: str, factor: Factor) -> tuple[float, float]:
        """Least and largest; a configuration has `(-f, f)` for one number."""
        if isinstance(factor, (int, float)):
            _, upper = self._range(argument, factor)
            return -upper, upper
        if len(factor) == 2 and factor[0] == -factor[1]:
            _, upper = self._range(argument, factor[1])
            return -upper, upper
        return self._range(argument, factor)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """How much to shear along x and y, `(batch, 2)`, and the images' shape."""
        if not training:
            return None
        side, x, y = self._draw(data, (0.0, 1.0), self.x_factor, self.y_factor, seed=seed, axes=2)
        factors = ops.concatenate([x, y], 1)
        return {
            "shear_factor": ops.where(ops.greater(side, 0.5), -factors, factors),
            "input_shape": shape_of(data),
        }

    def _matrix(self, transformation: dict[str, Any]) -> Tensor:
        x, y = ops.unstack(to_tensor(transformation["shear_factor"]), axis=-1)
        return matrix_of(1.0, x, 0.0, y, 1.0, 0.0, 0.0, 0.0)
