"""RandomCrop: a part of images at a random place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.random import make_default_seed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import Sizes, UnnamedBoxOptions, shape_of
from nkeras.layers.preprocessing.image.windows import WindowLayer
from nkeras.ops.image.resize import Window, largest_window
from nkeras.ops.indexing import take_
from nkeras.ops.random import units


class RandomCrop(WindowLayer):
    """In training, a part of images at a random place, the same for the whole batch.

    Else, and of images that are smaller in a direction, the largest part in the middle with these
    proportions is resized.

    Args:
        height: height of the result.
        width: its width.
        seed: int; a random one by default.
        data_format: `"channels_last"` or `"channels_first"`.
        name: name.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same with the new height and width, of the compute dtype.

    Raises:
        ValueError: `height` or `width` are no positive int.

    Example:
        >>> import nkeras
        >>> RandomCrop(4, 3, seed=1)(nkeras.ops.ones((2, 8, 8, 3)), training=True).shape
        (2, 4, 3, 3)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_crop/ Against
    its own documentation Keras leaves images as they are where `training` is False, and takes the
    start of a row for one of a column where it moves boxes.
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedBoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, name=name, **kwargs)
        self._set_size(height, width)
        self._set_seed(make_default_seed() if seed is None else seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> tuple[Any, Any, tuple[int, ...]]:
        """Top and left of the part, tensors where they are random, and the images' shape."""
        sizes = self._sizes(data)
        if not training or not self._fits(sizes):
            window = largest_window(sizes.height, sizes.width, self.height, self.width)
            return window.top, window.left, shape_of(data)
        drawn = units(2, (), self.generator if seed is None else seed, "float32")
        last = sizes.height - self.height, sizes.width - self.width
        top, left = (
            ops.cast(ops.minimum(unit * (most + 1.0), most), "int32")
            for unit, most in zip(drawn, map(float, last), strict=True)
        )
        return top, left, shape_of(data)

    def transform_images(
        self, images: TensorLike, transformation: Any, training: bool = True
    ) -> Tensor:
        """A part of the images."""
        images = self._as_images(images)
        if not training or not self._fits(self._sizes(images)):
            return ops.cast(self._resized(images), self.compute_dtype)
        top, left = transformation[:2]
        rank = len(images.shape)
        for start, size, axis in (
            (top, self.height, self.height_axis % rank),
            (left, self.width, self.width_axis % rank),
        ):
            if images.shape[axis] != size:
                places = to_tensor(np.arange(size), "int32") + ops.cast(to_tensor(start), "int32")
                images = take_(images, places, axis=axis)
        return images

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, TensorLike], transformation: Any, training: bool = True
    ) -> dict[str, TensorLike]:
        """Boxes as they lie in that part."""
        top, left, *shape = transformation
        sizes = self._sizes(tuple(shape[0])) if shape else Sizes(1, self.height, self.width)
        if training and self._fits(sizes):
            window = Window(top, left, self.height, self.width)
        else:
            window = largest_window(sizes.height, sizes.width, self.height, self.width)
        return self._boxes_of_window(bounding_boxes, window, sizes)
