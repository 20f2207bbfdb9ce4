"""The base of layers that change the values of pixels, each where it is."""

from __future__ import annotations

from collections.abc import Mapping

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    Transformation,
)


class ColorLayer(BaseImagePreprocessingLayer):
    """A layer that leaves boxes, masks and labels as they are.

    A subclass defines `transform_images`, and `get_random_transformation` if it draws. One that has
    an argument `value_range` passes it to `_set_value_range`.
    """

    def transform_bounding_boxes(
        self,
        bounding_boxes: Mapping[str, TensorLike],
        transformation: Transformation,
        training: bool = True,
    ) -> dict[str, TensorLike]:
        """The boxes as they are."""
        return dict(bounding_boxes)

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """The masks as they are."""
        return to_tensor(segmentation_masks)

    # For subclasses.

    def _limits(self) -> tuple[float, float]:
        """The least and the largest value of a pixel."""
        low, high = self.value_range
        return float(low), float(high)

    def _are_bytes(self, images: Tensor) -> bool:
        """Whether all bytes are values of pixels, so that what is whole needs no floats."""
        return images.dtype == "uint8" and tuple(self.value_range) == (0, 255)

    def _spatial_axes(self) -> tuple[int, int]:
        """The axes of height and width."""
        return self.height_axis, self.width_axis

    def _for_each(self, values: TensorLike) -> Tensor:
        """Numbers `(batch,)` in a shape that fits a batch of images."""
        return ops.reshape(to_tensor(values), (-1, 1, 1, 1))
