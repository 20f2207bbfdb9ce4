"""The base of layers that change the values of pixels, each where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nkeras.core.errors import is_a, refuse
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

    def _set_value_range(self, value_range: Sequence[float]) -> None:
        """Keep the least and the largest value of a pixel, in this order."""
        if not is_a(value_range, (tuple, list)) or len(value_range) != 2:
            refuse("value_range", value_range, "two numbers", type(self).__name__)
        self.value_range = sorted(value_range)
