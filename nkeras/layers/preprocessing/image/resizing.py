"""Resizing: images of another size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nkeras import ops
from nkeras.core.errors import as_bool, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Sizes
from nkeras.layers.preprocessing.image.windows import WindowLayer
from nkeras.ops.image.resize import INTERPOLATIONS, Window, largest_window, padded_window


class Resizing(WindowLayer):
    """Images of another size, in training and else, with boxes and masks.

    Args:
        height: height of the result.
        width: its width.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`; masks
            always take the nearest pixel.
        crop_to_aspect_ratio: whether the largest part in the middle with the result's proportions
            is resized, instead of the whole.
        pad_to_aspect_ratio: whether images get margins on two sides first, so that they have these
            proportions.
        fill_mode: `"constant"` alone.
        fill_value: value of the margins.
        antialias: whether an image that shrinks is smoothed, so that each old pixel counts.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training` changes
    nothing.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same with the new height and width. Integers stay integers, rounded.

    Raises:
        ValueError: an argument is wrong, or both proportions are asked for.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape([[0.0, 4.0]], (1, 2, 1))
        >>> Resizing(1, 4)(image).numpy().ravel()
        array([0., 1., 3., 4.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_preprocessing/resizing/ Boxes lie
    where the image's pixels go; with `crop_to_aspect_ratio` Keras is wrong by up to a pixel.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_size(height, width)
        if interpolation not in INTERPOLATIONS:
            known = ", ".join(f'"{name}"' for name in INTERPOLATIONS)
            refuse("interpolation", interpolation, f"one of {known}", "Resizing")
        if fill_mode != "constant":
            refuse("fill_mode", fill_mode, '"constant"', "Resizing")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                "Resizing: of the arguments `pad_to_aspect_ratio` and `crop_to_aspect_ratio` at "
                "most one can be True. Received both."
            )
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = as_bool(antialias, "antialias", "Resizing")

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> tuple[int, int]:
        """Height and width of the images."""
        sizes = self._sizes(data)
        return sizes.height, sizes.width

    def transform_images(
        self, images: TensorLike, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """The images in the other size, in their own dtype."""
        return self._transform_images(to_tensor(images), transformation, self.interpolation)

    def _transform_images(self, images: Tensor, transformation: Any, interpolation: str) -> Tensor:
        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """The masks in the other size, in their own dtype."""
        return self._transform_images(to_tensor(segmentation_masks), transformation, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, TensorLike], transformation: Any, training: bool = True
    ) -> dict[str, TensorLike]:
        """Boxes as they lie in the resized images; those of zeros or -1, which fill up, are 0."""
        height, width = transformation
        boxes = to_tensor(bounding_boxes["boxes"])
        is_one = [ops.all(ops.equal(boxes, one), axis=-1, keepdims=True) for one in (-1, 0)]
        found = self._boxes_of_window(
            bounding_boxes, self._window(height, width), Sizes(1, height, width)
        )
        fills_up = ops.logical_or(*is_one)
        return {**found, "boxes": ops.where(fills_up, 0.0, found["boxes"])}

    def _window(self, height: int, width: int) -> Window:
        if self.crop_to_aspect_ratio:
            return largest_window(height, width, self.height, self.width)
        if self.pad_to_aspect_ratio:
            return padded_window(height, width, self.height, self.width)
        return Window(0, 0, height, width)
