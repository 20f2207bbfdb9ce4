"""Layers that mix the images of a batch with each other: MixUp and CutMix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core import dtypes
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    BoxOptions,
    Factor,
    Transformation,
    shape_of,
)
from nkeras.layers.preprocessing.image.patches import edges, inside, intervals, is_symbolic, pasted
from nkeras.ops.distributions import beta
from nkeras.ops.elementwise import where_
from nkeras.ops.image import tones
from nkeras.ops.random import bits, units
from nkeras.ops.reduction import argsort_

_INFINITE = float("inf")


class _Mixing(BaseImagePreprocessingLayer):
    """What both need: partners in a batch, and mixed labels."""

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def _partners(self, batch: int, seed: Any) -> Tensor:
        """The numbers of all images, in random order."""
        return argsort_(bits((batch,), seed), axis=0)

    def _mixed(self, values: Tensor, transformation: Transformation, axes: int = 4) -> Tensor:
        """Floats with so many axes, mixed with those of the partners."""
        weight = ops.cast(transformation["mix_weight"], values.dtype)
        weight = ops.reshape(weight, (-1, *(1,) * (axes - 1)))
        others = ops.take(values, transformation["permutation_order"], axis=0)
        return tones.blended(others, values, weight, -_INFINITE, _INFINITE)

    def transform_labels(
        self, labels: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Labels `(batch, ...)`, mixed as the images are."""
        labels = to_tensor(labels)
        if not training:
            return labels
        if not dtypes.is_floating(labels.dtype):
            if len(labels.shape) < 2 or labels.shape[-1] == 1:
                raise ValueError(
                    f"{type(self).__name__} mixes labels: numbers of classes must become one-hot "
                    f"vectors first, by `ops.one_hot`. Received labels of shape {labels.shape} and "
                    f"dtype {labels.dtype}"
                )
            labels = ops.cast(labels, "float32")
        if transformation is None:
            return labels
        return self._mixed(labels, transformation, len(labels.shape))


class MixUp(_Mixing):
    """In training, each image of a batch becomes a weighted mean of itself and another one.

    Labels are mixed by the same weights, and masks; boxes of the other image are added.

    Args:
        alpha: of the beta distribution of the weights, positive: the smaller, the less is mixed.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict of `"images"`, `"labels"` (one-hot vectors), and so on
    (see `BaseImagePreprocessingLayer`); `training`, True by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong, or labels are numbers of classes.

    Example:
        >>> data = {"images": [[[[0.0]]], [[[8.0]]]], "labels": [[1.0, 0.0], [0.0, 1.0]]}
        >>> drawn = {"mix_weight": [0.75, 0.75], "permutation_order": [1, 0]}
        >>> layer = MixUp()
        >>> layer.transform_images(data["images"], drawn).numpy().ravel()
        array([2., 6.], dtype=float32)
        >>> layer.transform_labels(data["labels"], drawn).numpy()
        array([[0.75, 0.25],
               [0.25, 0.75]], dtype=float32)

    Source: Zhang et al. (2017), https://arxiv.org/abs/1710.09412 In Keras labels of boxes get into
    a batch of twice the size, and masks are mixed with single pixels.
    """

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if not is_a(alpha, (int, float)) or not alpha > 0:
            refuse("alpha", alpha, "a positive number", "MixUp")
        self.alpha = alpha
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """The weight of each image, `(batch,)`, and with which other one it is mixed."""
        if not training:
            return None
        batch, _, _ = self._sizes(data)
        of_order, of_weights = self._seeds(2, seed)
        return {
            "mix_weight": beta((batch,), self.alpha, self.alpha, seed=of_weights),
            "permutation_order": self._partners(batch, of_order),
        }

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Means of two images."""
        images = self._as_images(images)
        return self._mixed(images, transformation) if training and transformation else images

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Means of two masks, as floats: masks of shares of classes are meant, not of numbers."""
        masks = to_tensor(segmentation_masks)
        return self._mixed(self._as_images(masks), transformation) if training else masks

    def transform_bounding_boxes(
        self,
        bounding_boxes: Mapping[str, TensorLike],
        transformation: Transformation,
        training: bool = True,
    ) -> dict[str, TensorLike]:
        """The boxes of both images, `(batch, 2 * n, 4)`."""
        if not training:
            return dict(bounding_boxes)
        order = transformation["permutation_order"]
        boxes, labels = (to_tensor(bounding_boxes[name]) for name in ("boxes", "labels"))
        both = {
            "boxes": ops.concatenate([boxes, ops.take(boxes, order, axis=0)], axis=1),
            "labels": ops.concatenate(
                [labels, ops.take(labels, order, axis=0)], axis=min(1, len(labels.shape) - 1)
            ),
        }
        return {**bounding_boxes, **both}


class CutMix(_Mixing):
    """In training, a rectangle of each image of a batch comes from another one.

    Labels are mixed by the areas, and masks are cut like the images.

    Args:
        factor: number from 0 to 1, or the least and the largest one: parameter of the beta
            distribution of the part that stays, drawn for the batch. One number f stands for
            `(0, f)`.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict of `"images"`, `"labels"` (one-hot vectors) and
    `"segmentation_masks"` (see `BaseImagePreprocessingLayer`); `training`, True by default. One
    image alone stays as it is.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong, or labels are numbers of classes.
        NotImplementedError: there are boxes, of which parts would be covered.

    Example:
        >>> import nkeras
        >>> data = {"images": nkeras.ops.ones((4, 8, 8, 3)), "labels": nkeras.ops.eye(4)}
        >>> mixed = CutMix(seed=3)(data, training=True)
        >>> mixed["labels"].numpy().sum(1)
        array([1., 1., 1., 1.], dtype=float32)

    Source: Yun et al. (2019), https://arxiv.org/abs/1905.04899 In Keras masks of one channel get
    three.
    """

    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def __init__(
        self,
        factor: Factor = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self._set_seed(seed)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """Which pixels come from which other image, and which part stays; None for one image."""
        drawn = self._rectangles(data, training, seed)
        if drawn is None:
            return None
        ends = drawn.pop("first"), drawn.pop("last")
        channels = shape_of(data)[self.channel_axis]
        masks = inside(self._sizes(data), *ends, self.channel_axis, channels)
        return {**drawn, "batch_masks": masks}

    def _transformation(self, data: Structure, training: bool) -> dict[str, Tensor] | None:
        if type(self).get_random_transformation is not CutMix.get_random_transformation:
            return super()._transformation(data, training)
        return self._rectangles(data, training)

    def _rectangles(
        self, data: Structure, training: bool, seed: Seed = None
    ) -> dict[str, Tensor] | None:
        """The same, with the ends of the rectangles in place of masks."""
        if not training or len(shape_of(data)) == 3 or is_symbolic(data):
            return None
        sizes = self._sizes(data)
        of_alpha, of_weights, of_places, of_order = self._seeds(4, seed)
        low, high = self.factor
        (unit,) = units(1, (), of_alpha, "float32")
        alpha = unit * (high - low) + (low + 1e-6)
        weight = beta((sizes.batch,), alpha, alpha, seed=of_weights)
        share = ops.sqrt(1.0 - weight)
        first, last = intervals(sizes, ops.stack([share, share], axis=1), of_places)
        area = ops.prod(last - first, axis=1) / float(sizes.height * sizes.width)
        return {
            "permutation_order": self._partners(sizes.batch, of_order),
            "mix_weight": 1.0 - area,
            **edges(first, last),
        }

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Images with a rectangle of another one."""
        if not training or transformation is None:
            return self._as_images(images)
        order = transformation["permutation_order"]
        if "batch_masks" not in transformation:
            images = to_tensor(images)
            return self._as_result(pasted(images, images, order, transformation, self.channel_axis))
        images = self._as_images(images)
        others = ops.take(images, order, axis=0)
        return where_(to_tensor(transformation["batch_masks"]), others, images)

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Masks with a rectangle of another one, in the compute dtype."""
        if not training or transformation is None:
            return self._as_images(segmentation_masks)
        if "batch_masks" not in transformation:
            return self.transform_images(segmentation_masks, transformation, training)
        masks = to_tensor(transformation["batch_masks"])
        chosen = masks[..., :1] if self.channel_axis == -1 else masks[:, :1]
        return self.transform_images(
            segmentation_masks, {**transformation, "batch_masks": chosen}, training
        )
