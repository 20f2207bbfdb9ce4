"""RandomFlip: images seen in a mirror."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    BoxOptions,
    shape_of,
)
from nkeras.ops.image.flips import flipped

HORIZONTAL = "horizontal"
VERTICAL = "vertical"
HORIZONTAL_AND_VERTICAL = "horizontal_and_vertical"
_MODES = (HORIZONTAL, VERTICAL, HORIZONTAL_AND_VERTICAL)


class RandomFlip(BaseImagePreprocessingLayer):
    """In training, flips half of the images, and boxes and masks with them.

    Args:
        mode: `"horizontal"` exchanges left and right, `"vertical"` top and bottom,
            `"horizontal_and_vertical"` both at once.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: `mode` is unknown.

    Example:
        >>> import nkeras
        >>> layer = RandomFlip("horizontal", seed=1)
        >>> layer(nkeras.ops.ones((2, 4, 6, 3)), training=True).shape
        (2, 4, 6, 3)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_flip/ Boxes
    are cut to the image, which Keras does on the left and on top alone.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def __init__(
        self,
        mode: str = HORIZONTAL_AND_VERTICAL,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if mode not in _MODES:
            refuse("mode", mode, ", ".join(map(repr, _MODES)), "RandomFlip")
        self.mode = mode
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """Which images to flip, and their shape."""
        if not training:
            return None
        shape = shape_of(data)
        (drawn,) = self._draw(data, (0.0, 1.0), seed=seed, axes=len(shape))
        return {"flips": ops.less_equal(drawn, 0.5), "input_shape": shape}

    def transform_images(
        self, images: TensorLike, transformation: Any, training: bool = True
    ) -> Tensor:
        """Images, some of them flipped."""
        if not training or transformation is None:
            return self._as_images(images)
        return flipped(
            images,
            transformation["flips"],
            horizontal=self.mode != VERTICAL,
            vertical=self.mode != HORIZONTAL,
            dtype=self.compute_dtype,
            data_format=self.data_format,
        )

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Any, training: bool = True
    ) -> Tensor:
        """Masks, some of them flipped, in the compute dtype."""
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, TensorLike], transformation: Any, training: bool = True
    ) -> dict[str, TensorLike]:
        """The boxes of images, some of them flipped."""
        if not training:
            return dict(bounding_boxes)
        _, height, width = self._sizes(tuple(transformation["input_shape"]))
        flips = ops.squeeze(transformation["flips"], -1)

        def mirrored(corners: Tensor) -> Tensor:
            x1, y1, x2, y2 = ops.split(corners, 4, axis=-1)
            if self.mode != VERTICAL:
                x1, x2 = width - x2, width - x1
            if self.mode != HORIZONTAL:
                y1, y2 = height - y2, height - y1
            return ops.where(flips, ops.concatenate([x1, y1, x2, y2], axis=-1), corners)

        return self._changed_boxes(bounding_boxes, mirrored, (height, width))
