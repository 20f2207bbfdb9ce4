"""RandAugment: some changes, drawn at random from a list, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.augmenting import AugmentingLayer, as_ints
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    BoxOptions,
    Factor,
    Transformation,
)
from nkeras.ops.random import randint

LAYERS = (
    "random_shear random_translation random_rotation random_brightness random_color_degeneration "
    "random_contrast random_sharpness random_posterization solarization auto_contrast equalization"
).split()


class RandAugment(AugmentingLayer):
    """In training, some changes of a list of eleven, drawn for the batch, one after the other.

    They are shear, translation, rotation, brightness, color degeneration, contrast, sharpness,
    posterization, solarization, auto contrast and equalization; boxes and masks move with images.
    How strong a change is is drawn for each image.

    Args:
        value_range: the least and the largest value of a pixel; results stay in it.
        num_ops: how many changes.
        factor: number from 0 to 1, or the least and the largest one: how strong they are. One
            number f stands for `(0, f)`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, 3)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> import nkeras
        >>> RandAugment(seed=1)(nkeras.ops.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)

    Source: Cubuk et al. (2019), https://arxiv.org/abs/1909.13719 Boxes go through the changes in
    the order of the images, where Keras takes that of the list. A training step with it inside of
    its model runs as it comes, without a plan.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_ops: int = 2,
        factor: Factor = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if not is_a(num_ops, int) or num_ops < 0:
            refuse("num_ops", num_ops, "an int of at least 0", "RandAugment")
        self.num_ops = num_ops
        self._set_strength(factor, value_range, interpolation, seed)
        self._make_layers(LAYERS, kwargs)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """Which changes, int32 `(num_ops,)`, and what each of the list draws, by its name."""
        if not training:
            return None
        of_choice, *seeds = self._seeds(1 + len(LAYERS), seed)
        return {
            "layer_idxes": randint((self.num_ops,), 0, len(LAYERS), seed=of_choice),
            "transforms": {
                name: self._layer(name).get_random_transformation(data, seed=one)
                for name, one in zip(LAYERS, seeds, strict=True)
            },
        }

    def _chosen(
        self, transformation: Transformation, training: bool
    ) -> Iterator[tuple[BaseImagePreprocessingLayer, Transformation]]:
        if training and transformation is not None:
            names = list(transformation["transforms"])
            for number in as_ints(transformation["layer_idxes"]) if self.num_ops else ():
                name = names[number]
                yield self._layer(name), transformation["transforms"][name]

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Changed images."""
        images = self._as_images(images)
        for layer, drawn in self._chosen(transformation, training):
            images = layer.transform_images(images, drawn)
        return images

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Masks that move with their images."""
        masks = to_tensor(segmentation_masks)
        for layer, drawn in self._chosen(transformation, training):
            masks = layer.transform_segmentation_masks(masks, drawn)
        return masks

    def transform_bounding_boxes(
        self,
        bounding_boxes: Mapping[str, TensorLike],
        transformation: Transformation,
        training: bool = True,
    ) -> dict[str, TensorLike]:
        """Boxes that move with their images."""
        boxes = dict(bounding_boxes)
        for layer, drawn in self._chosen(transformation, training):
            boxes = layer.transform_bounding_boxes(boxes, drawn)
        return boxes
