"""MaxNumBoundingBoxes: one number of boxes for all images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import ImageOptions
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.ops.shape import section


class MaxNumBoundingBoxes(ColorLayer):
    """Boxes and their labels cut off, or filled up, to one number; images stay as they are.

    Args:
        max_number: how many boxes an image gets.
        fill_value: coordinates and labels of those that are added.
        **kwargs: what every layer takes, `bounding_box_format` and `data_format`.

    Call arguments: `data`, a dict (see `BaseImagePreprocessingLayer`); `training` changes nothing.

    Output shape: that of the inputs, with boxes `(batch, max_number, 4)`.

    Raises:
        ValueError: `max_number` is no positive int.

    Example:
        >>> import nkeras
        >>> layer = MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
        >>> boxes = {"boxes": [[[1, 2, 3, 4]]], "labels": [[7]]}
        >>> found = layer({"images": nkeras.ops.ones((1, 8, 8, 3)), "bounding_boxes": boxes})
        >>> found["bounding_boxes"]["labels"].numpy()
        array([[ 7, -1, -1]], dtype=int32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/
    max_num_bounding_boxes/
    """

    config_omits: ClassVar[Mapping[str, object]] = {**ColorLayer.config_omits, "fill_value": -1}
    _USE_BASE_FACTOR: ClassVar[bool] = False

    def __init__(
        self, max_number: int, fill_value: int = -1, **kwargs: Unpack[ImageOptions]
    ) -> None:
        super().__init__(**kwargs)
        if not is_a(max_number, (int, float)) or int(max_number) < 1:
            refuse("max_number", max_number, "a positive int", "MaxNumBoundingBoxes")
        self.max_number = int(max_number)
        self.fill_value = int(fill_value)

    def transform_images(
        self, images: TensorLike, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """The images as they are."""
        return to_tensor(images)

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, TensorLike], transformation: Any, training: bool = True
    ) -> dict[str, TensorLike]:
        """So many boxes and labels."""
        made = {name: self._filled(to_tensor(bounding_boxes[name])) for name in ("boxes", "labels")}
        return {**bounding_boxes, **made}

    def _filled(self, x: Tensor) -> Tensor:
        """A tensor `(batch, n, ...)` with another n."""
        kept = section(x, 1, 0, min(x.shape[1], self.max_number))
        widths = [(0, 0)] * len(x.shape)
        widths[1] = (0, self.max_number - kept.shape[1])
        return ops.pad(kept, widths, constant_values=self.fill_value)
