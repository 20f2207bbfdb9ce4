"""CenterCrop: the middle of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Sizes, shape_of
from nkeras.layers.preprocessing.image.windows import WindowLayer
from nkeras.ops.image.resize import Window, largest_window
from nkeras.ops.shape import section


class CenterCrop(WindowLayer):
    """The middle of images, in training and else, with boxes and masks.

    Of images that are smaller in a direction, the largest part in the middle with these proportions
    is resized.

    Args:
        height: height of the result.
        width: its width.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training` changes
    nothing.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same with the new height and width, of the compute dtype.

    Raises:
        ValueError: `height` or `width` are no positive int.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape(nkeras.ops.arange(12), (3, 4, 1))
        >>> CenterCrop(1, 2)(image).numpy().ravel()
        array([5., 6.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_preprocessing/center_crop/
    """

    def __init__(
        self,
        height: int,
        width: int,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_size(height, width)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any]:
        """The images' shape."""
        return {"input_shape": shape_of(data)}

    def transform_images(
        self, images: TensorLike, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """The middle of images."""
        images = self._as_images(images)
        sizes = self._sizes(images)
        if not self._fits(sizes):
            return self._resized(images)
        rank = len(images.shape)
        window = self._window(sizes)
        rows, columns = self.height_axis % rank, self.width_axis % rank
        images = section(images, rows, window.top, window.top + window.height)
        return section(images, columns, window.left, window.left + window.width)

    def _window(self, sizes: Sizes) -> Window:
        if not self._fits(sizes):
            return largest_window(sizes.height, sizes.width, self.height, self.width)
        top, left = (sizes.height - self.height) // 2, (sizes.width - self.width) // 2
        return Window(top, left, self.height, self.width)

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, TensorLike], transformation: Any, training: bool = True
    ) -> dict[str, TensorLike]:
        """Boxes as they lie in the middle of images."""
        sizes = self._sizes(tuple(transformation["input_shape"]))
        return self._boxes_of_window(bounding_boxes, self._window(sizes), sizes)
