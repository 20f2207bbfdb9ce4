"""RandomTranslation: images moved."""

from __future__ import annotations

from typing import Any

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, shape_of
from nkeras.layers.preprocessing.image.warping import WarpingLayer, matrix_of


class RandomTranslation(WarpingLayer):
    """In training, moves each image by distances of its own, and boxes and masks with it.

    Args:
        height_factor: a part of the height: for a float `f` distances lie between `-f` and `f`, for
            two between these. Positive ones move down.
        width_factor: likewise of the width; positive ones move to the right.
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
        ValueError: an argument is unknown, or a factor lies outside of [-1, 1].

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape([1.0, 2.0, 3.0, 4.0], (1, 4, 1))
        >>> moved = RandomTranslation(0.0, (0.25, 0.25), "constant")(image)
        >>> moved.numpy().ravel()
        array([0., 1., 2., 3.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_translation/
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self.height_lower, self.height_upper = self._range("height_factor", height_factor)
        self.width_lower, self.width_upper = self._range("width_factor", width_factor)
        self._set_sampling(interpolation, fill_mode, fill_value)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """How many pixels to move to the right and down, `(batch, 2)`, and the images' shape."""
        if not training:
            return None
        _, height, width = self._sizes(data)
        y, x = self._draw(
            data,
            (self.height_lower * height, self.height_upper * height),
            (self.width_lower * width, self.width_upper * width),
            seed=seed,
            axes=2,
        )
        return {"translations": ops.concatenate([x, y], 1), "input_shape": shape_of(data)}

    def _matrix(self, transformation: dict[str, Any]) -> Tensor:
        x, y = ops.unstack(to_tensor(transformation["translations"]), axis=-1)
        return matrix_of(1.0, 0.0, -x, 0.0, 1.0, -y, 0.0, 0.0)
