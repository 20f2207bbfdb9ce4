"""RandomZoom: images made larger or smaller."""

from __future__ import annotations

from typing import Any

from nkeras import ops
from nkeras.core.errors import refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, shape_of
from nkeras.layers.preprocessing.image.warping import WarpingLayer, matrix_of


class RandomZoom(WarpingLayer):
    """In training, zooms into each image, or out of it, and boxes and masks with it.

    Args:
        height_factor: by how much more of the height is seen: for a float `f` a part between `-f`
            and `f`, for two between these. 0.5 zooms out, so that the image takes two thirds of
            the height; -0.5 zooms in, to half of it.
        width_factor: likewise of the width; None to keep proportions.
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
        ValueError: an argument is unknown, or a factor is not more than -1 and at most 1.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape([1.0, 2.0, 3.0], (1, 3, 1))
        >>> RandomZoom(0.0, (-0.5, -0.5))(image).numpy().ravel()
        array([1.5, 2. , 2.5], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_zoom/
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
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
        self.height_lower, self.height_upper = self._zooms("height_factor", height_factor)
        if width_factor is not None:
            self.width_lower, self.width_upper = self._zooms("width_factor", width_factor)
        self._set_sampling(interpolation, fill_mode, fill_value)
        self._set_seed(seed)

    def _zooms(self, argument: str, factor: Factor) -> tuple[float, float]:
        numbers = factor if isinstance(factor, (tuple, list)) else [factor]
        if -1 in numbers:
            refuse(argument, factor, "more than -1, where nothing would be seen", "RandomZoom")
        return self._range(argument, factor)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """How much is seen of height and width, each `(batch, 1)`, and the images' shape."""
        if not training:
            return None
        ranges = [(1.0 + self.height_lower, 1.0 + self.height_upper)]
        if self.width_factor is not None:
            ranges.append((1.0 + self.width_lower, 1.0 + self.width_upper))
        drawn = self._draw(data, *ranges, seed=seed, axes=2)
        return {
            "height_zoom": drawn[0],
            "width_zoom": drawn[-1],
            "input_shape": shape_of(data),
        }

    def _matrix(self, transformation: dict[str, Any]) -> Tensor:
        height, width = self._image_size(transformation)
        x, y = (
            ops.reshape(to_tensor(transformation[name]), (-1,))
            for name in ("width_zoom", "height_zoom")
        )
        to_x, to_y = (1.0 - x) * ((width - 1) / 2.0), (1.0 - y) * ((height - 1) / 2.0)
        return matrix_of(x, 0.0, to_x, 0.0, y, to_y, 0.0, 0.0)
