"""Parts of images that become whole images: what layers that crop, pad and resize share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    Sizes,
    Transformation,
)
from nkeras.ops.image.resize import Window


class WindowLayer(BaseImagePreprocessingLayer):
    """A layer that makes images of one height and width of a part of each image.

    Its transformation says where the part is, or of which sizes the images were.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def _set_size(self, height: int, width: int) -> None:
        """Height and width of the results."""
        for name, size in (("height", height), ("width", width)):
            if not is_a(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
                refuse(name, size, "a positive int", type(self).__name__)
        self.height, self.width = int(height), int(width)

    def _fits(self, sizes: Sizes) -> bool:
        """Whether the result is a part of images as it is."""
        return sizes.height >= self.height and sizes.width >= self.width

    def _resized(self, images: Tensor) -> Tensor:
        """The largest part in the middle that has the result's proportions, resized."""
        size = self.height, self.width
        return ops.image.resize(
            images, size, crop_to_aspect_ratio=True, data_format=self.data_format
        )

    def _boxes_of_window(
        self, bounding_boxes: Mapping[str, TensorLike], window: Window, before: Sizes
    ) -> dict[str, TensorLike]:
        """Boxes as they lie in a part of images of sizes before, when it is resized."""

        def changed(corners: Tensor) -> Tensor:
            x1, y1, x2, y2 = ops.split(corners, 4, axis=-1)
            xs = [(x - window.left) * (self.width / window.width) for x in (x1, x2)]
            ys = [(y - window.top) * (self.height / window.height) for y in (y1, y2)]
            return ops.concatenate([xs[0], ys[0], xs[1], ys[1]], axis=-1)

        size = before.height, before.width
        return self._changed_boxes(bounding_boxes, changed, size, (self.height, self.width))

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Masks as images, in the compute dtype."""
        return self.transform_images(segmentation_masks, transformation, training)
