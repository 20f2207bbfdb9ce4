"""What layers for images share: one random transformation for images, boxes, masks and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias

from nkeras import ops
from nkeras.core.config import standardize_data_format
from nkeras.core.dtypes import is_floating
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.primitive import to_tensor
from nkeras.core.random import SeedGenerator, draw_seed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    AllLayerOptions,
    Seed,
    Structure,
    TensorLike,
    UnnamedLayerOptions,
    Unpack,
)
from nkeras.layers.base import Layer
from nkeras.layers.preprocessing.image.boxes import as_dense, changed
from nkeras.ops.image.layout import as_before
from nkeras.ops.random import units
from nkeras.utils.bounding_boxes.formats import FORMATS

Factor: TypeAlias = "float | Sequence[float]"
"""One number, or the least and the largest."""

Transformation: TypeAlias = Any
"""What a layer draws for a batch, and passes on to its `transform_*` methods."""


class BoxOptions(AllLayerOptions, total=False):
    """What layers for images take beside their own arguments and `data_format`."""

    bounding_box_format: str | None


class ImageOptions(BoxOptions, total=False):
    """The same for layers without an argument `data_format`."""

    data_format: str | None


class FactorOptions(ImageOptions, total=False):
    """The same for layers without an argument `factor`."""

    factor: Factor | None


class UnnamedBoxOptions(UnnamedLayerOptions, total=False):
    """The same as BoxOptions for layers with an argument `name`."""

    bounding_box_format: str | None


class Sizes(NamedTuple):
    """The sizes of images; those of one image alone count as a batch of one."""

    batch: int
    height: int
    width: int


class BaseImagePreprocessingLayer(Layer):
    """The base of layers for images: what is drawn at random, and what it does to images and boxes.

    A layer is called on images, or on a dict of `"images"` and what belongs to them: `"labels"`,
    `"bounding_boxes"` (a dict of `"boxes"` `(batch, n, 4)` and `"labels"` `(batch, n)`) and
    `"segmentation_masks"`, with or without an axis of channels, each for one image or for a batch.

    A subclass defines `get_random_transformation`, which draws in tensors, once for the whole call,
    and what is to be done with it: `transform_images`, `transform_bounding_boxes`,
    `transform_segmentation_masks`, `transform_labels`. These get batches only. Made of
    `nkeras.ops`, it runs alone, in models, in plans and on every backend, with the same numbers for
    one seed.

    Args:
        factor: a number, or the least and the largest number, kept as two in `self.factor`. A
            subclass that takes none says so by `_USE_BASE_FACTOR = False`, and its range by
            `_FACTOR_BOUNDS`.
        bounding_box_format: how the boxes are given: see `nkeras.utils.bounding_boxes`.
        data_format: `"channels_last"` or `"channels_first"`.

    Call arguments: `data`; `training`: whether anything is done, True by default.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`, or channels
    first; any dtype. Output shape: the same; of the compute dtype, but where a layer says else.

    Raises:
        ValueError: images have another rank, boxes come without `bounding_box_format`, or an
            argument is out of range.

    Example:
        >>> import nkeras
        >>> from nkeras.layers.preprocessing.image import BaseImagePreprocessingLayer
        >>> class Darker(BaseImagePreprocessingLayer):
        ...     def __init__(self, factor, seed=None, **kwargs):
        ...         super().__init__(factor, **kwargs)
        ...         self._set_seed(seed)
        ...     def get_random_transformation(self, data, training=True, seed=None):
        ...         (share,) = self._draw(data, self.factor, seed=seed)
        ...         return share
        ...     def transform_images(self, images, transformation, training=True):
        ...         images = self._as_images(images)
        ...         share = nkeras.ops.cast(1.0 - transformation, images.dtype)
        ...         return images * share if training else images
        >>> Darker((0.5, 0.5))(nkeras.ops.full((1, 2, 1), 8, "uint8")).numpy().ravel()
        array([4., 4.], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/
    """

    config_omits: ClassVar[Mapping[str, object]] = {
        **Layer.config_omits,
        "bounding_box_format": None,
    }
    _USE_BASE_FACTOR: ClassVar[bool] = True
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (-1, 1)
    interpolation: str = "bilinear"

    def __init__(
        self,
        factor: Factor | None = None,
        bounding_box_format: str | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self._allow_non_tensor_positional_args = True
        if bounding_box_format is not None and (
            not is_a(bounding_box_format, str) or bounding_box_format.lower() not in FORMATS
        ):
            known = ", ".join(f'"{name}"' for name in FORMATS)
            refuse("bounding_box_format", bounding_box_format, f"one of {known}, or None", owner)
        self.bounding_box_format = bounding_box_format
        self.data_format = standardize_data_format(data_format, owner)
        is_last = self.data_format == "channels_last"
        self.height_axis, self.width_axis, self.channel_axis = (
            (-3, -2, -1) if is_last else (-2, -1, -3)
        )
        if self._USE_BASE_FACTOR:
            self._set_factor(factor or 0.0)
        elif factor is not None:
            raise ValueError(f"{owner} takes no argument `factor`. Received: {short(factor)}")

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> Transformation:
        """What to do with this batch: tensors and plain numbers; None for a layer without."""
        return None

    def transform_images(
        self, images: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """A batch of images, transformed, in the compute dtype."""
        images = self._as_images(images)
        if training:
            images = self._transform_images(images, transformation, self.interpolation)
        return images

    def _transform_images(
        self, images: Tensor, transformation: Transformation, interpolation: str
    ) -> Tensor:
        """Images, or masks with `interpolation="nearest"`."""
        raise NotImplementedError(f"{type(self).__name__} does not define `transform_images`.")

    def transform_labels(
        self, labels: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """A batch of labels; they stay as they are by default."""
        return to_tensor(labels)

    def transform_bounding_boxes(
        self,
        bounding_boxes: Mapping[str, TensorLike],
        transformation: Transformation,
        training: bool = True,
    ) -> dict[str, TensorLike]:
        """A dict of `"boxes"` and `"labels"`, transformed."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define what happens to bounding boxes "
            "(`transform_bounding_boxes`): call it without them."
        )

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """A batch of masks, transformed like images, each cell from the nearest one."""
        masks = to_tensor(segmentation_masks)
        return self._transform_images(masks, transformation, "nearest") if training else masks

    def transform_single_image(
        self, image: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """One image alone."""
        return self._alone(self.transform_images, image, transformation, training)

    def transform_single_label(
        self, label: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """The label of one image."""
        return self._alone(self.transform_labels, label, transformation, training)

    def transform_single_bounding_box(
        self,
        bounding_box: Mapping[str, TensorLike],
        transformation: Transformation,
        training: bool = True,
    ) -> dict[str, TensorLike]:
        """The boxes of one image."""
        batch = {name: ops.expand_dims(value, 0) for name, value in bounding_box.items()}
        boxes = self.transform_bounding_boxes(
            batch, transformation=transformation, training=training
        )
        return {name: ops.squeeze(value, 0) for name, value in boxes.items()}

    def transform_single_segmentation_mask(
        self, segmentation_mask: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """The mask of one image."""
        transform = self.transform_segmentation_masks
        return self._alone(transform, segmentation_mask, transformation, training)

    def _alone(
        self,
        transform: Callable[..., Tensor],
        value: TensorLike,
        transformation: Transformation,
        training: bool,
    ) -> Tensor:
        batch = ops.expand_dims(value, 0)
        return ops.squeeze(transform(batch, transformation=transformation, training=training), 0)

    def call(self, data: Any, training: bool = True) -> Any:
        """The images, or the dict, transformed; what else is in the dict stays as it is."""
        is_dict = isinstance(data, Mapping)
        given: dict[str, Any] = dict(data) if is_dict else {"images": data}
        if "images" not in given:
            refuse("data", list(given), 'a dict with the key "images"', type(self).__name__)
        for name in given.keys() & {"images", "labels", "segmentation_masks"}:
            given[name] = to_tensor(given[name])
        is_batch = self._is_batched(given["images"])
        is_flat = False
        if "segmentation_masks" in given:
            masks = given["segmentation_masks"]
            is_flat = len(masks.shape) == len(given["images"].shape) - 1
            if is_flat:
                given["segmentation_masks"] = ops.expand_dims(masks, self.channel_axis)
        if "bounding_boxes" in given:
            given["bounding_boxes"] = self._as_boxes(given["bounding_boxes"])
        transformation = self._transformation(given if is_dict else given["images"], training)
        for name, (transform, transform_single) in self._transforms().items():
            if name in given:
                done = transform if is_batch else transform_single
                given[name] = done(given[name], transformation=transformation, training=training)
        if not is_floating(self.compute_dtype):
            given["images"] = as_before(given["images"], self.compute_dtype)
        if is_flat:
            masks = given["segmentation_masks"]
            given["segmentation_masks"] = ops.squeeze(masks, self.channel_axis)
        return given if is_dict else given["images"]

    def _transformation(self, data: Structure, training: bool) -> Transformation:
        """What a call passes on: `get_random_transformation`, or a shorter form of the same."""
        return self.get_random_transformation(data, training=training)

    def _transforms(self) -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
        """For each kind of data, what is done with a batch, and with what belongs to one image."""
        return {
            "images": (self.transform_images, self.transform_single_image),
            "bounding_boxes": (self.transform_bounding_boxes, self.transform_single_bounding_box),
            "labels": (self.transform_labels, self.transform_single_label),
            "segmentation_masks": (
                self.transform_segmentation_masks,
                self.transform_single_segmentation_mask,
            ),
        }

    def _convert(self, value: Structure) -> Structure:
        """Boxes stay in their dtype: in a half type pixels far from the corner would merge."""
        if isinstance(value, Mapping) and "bounding_boxes" in value:
            rest = {name: one for name, one in value.items() if name != "bounding_boxes"}
            rest = super()._convert(rest)
            return {name: rest.get(name, one) for name, one in value.items()}
        return super()._convert(value)

    def _as_boxes(self, bounding_boxes: object) -> dict[str, TensorLike]:
        owner = type(self).__name__
        if self.bounding_box_format is None:
            raise ValueError(
                f"{owner}: the input has the key 'bounding_boxes', but the layer was made without "
                "`bounding_box_format`: pass it to the constructor, such as "
                '`bounding_box_format="xyxy"`.'
            )
        return as_dense(bounding_boxes, owner)

    # For subclasses.

    def _set_factor(self, factor: Factor) -> None:
        self.factor = self._range("factor", factor)

    def _range(
        self, argument: str, value: Factor, bounds: tuple[float, float] | None = None
    ) -> tuple[float, float]:
        """Least and largest of a number for both, or of two, within bounds or `_FACTOR_BOUNDS`."""
        least, largest = bounds or self._FACTOR_BOUNDS
        numbers = list(value) if isinstance(value, (tuple, list)) else [value]
        pair = [
            one for one in numbers if isinstance(one, (int, float)) and not isinstance(one, bool)
        ]
        is_pair = isinstance(value, (tuple, list))
        if len(numbers) != 1 + is_pair or len(pair) != len(numbers):
            refuse(argument, value, "a number, or two of them", type(self).__name__)
        if not all(least <= one <= largest for one in pair):
            between = f"a number, or two of them, from {least} to {largest}"
            refuse(argument, value, between, type(self).__name__)
        if len(pair) == 2:
            lower, upper = sorted(pair)
            return lower, upper
        return max(least, -abs(pair[0])), abs(pair[0])

    def _set_seed(self, seed: int | None) -> None:
        """Where `_draw` gets its numbers from."""
        self.seed = seed
        self.generator = SeedGenerator(seed)

    def _set_value_range(self, value_range: Sequence[float]) -> None:
        """Keep the least and the largest value of a pixel, in this order."""
        if not is_a(value_range, (tuple, list)) or len(value_range) != 2:
            refuse("value_range", value_range, "two numbers", type(self).__name__)
        self.value_range = sorted(value_range)

    def _seeds(self, count: int, seed: Seed = None) -> list[Any]:
        """So many seeds, for draws of several shapes in one transformation."""
        if seed is None or is_a(seed, SeedGenerator):
            return [draw_seed(self.generator if seed is None else seed) for _ in range(count)]
        key, position = draw_seed(seed)
        return [(key, position + number) for number in range(count)]

    def _draw(
        self, data: Structure, *ranges: Sequence[float], seed: Seed = None, axes: int = 4
    ) -> list[Tensor]:
        """Uniform numbers in each range, one for each image, all of them from one seed.

        Args:
            data: the images, or the dict.
            *ranges: least and largest number.
            seed: int, SeedGenerator, or None for the layer's own.
            axes: of each tensor: `(batch, 1, ...)`, which by default fits a batch of images.
        """
        shape = (self._sizes(data).batch, *(1,) * (axes - 1))
        drawn = units(len(ranges), shape, self.generator if seed is None else seed, "float32")
        return [
            unit * (upper - lower) + lower
            for unit, (lower, upper) in zip(drawn, ranges, strict=True)
        ]

    def _sizes(self, data: Any) -> Sizes:
        """The sizes of images, of the dict with them, or of a shape."""
        shape = shape_of(data)
        batch = shape[0] if len(shape) == 4 else 1
        return Sizes(batch, shape[self.height_axis], shape[self.width_axis])

    def _as_images(self, images: TensorLike) -> Tensor:
        """Images in the dtype that the layer computes in: where that is no float, in float32."""
        dtype = self.compute_dtype
        return ops.cast(to_tensor(images), dtype if is_floating(dtype) else "float32")

    def _as_result(self, images: Tensor) -> Tensor:
        """Images that have not become floats, in the dtype of results."""
        return images if images.dtype == self.compute_dtype else self._as_images(images)

    def _is_batched(self, images: Tensor) -> bool:
        """Whether it is a batch of images; of one alone False."""
        if len(images.shape) not in (3, 4):
            raise ValueError(
                f"{type(self).__name__}: images must have rank 3 (one image) or 4 (a batch of "
                f"images). Received shape {images.shape}"
            )
        return len(images.shape) == 4

    def _changed_boxes(
        self,
        bounding_boxes: Mapping[str, TensorLike],
        change: Callable[[Tensor], Tensor],
        before: Sequence[int],
        after: Sequence[int] | None = None,
    ) -> dict[str, TensorLike]:
        """Boxes whose corners `(..., 4)` in pixels, `xyxy`, are changed, and cut to the image.

        Args:
            bounding_boxes: dict of `"boxes"` and `"labels"`, which become -1 where nothing is left.
            change: a function of corners.
            before: height and width of the images that the boxes belong to.
            after: height and width of the transformed images, where they are others.
        """
        return changed(bounding_boxes, change, self.bounding_box_format, before, after or before)

    def _transform_value_range(
        self,
        images: TensorLike,
        original_range: Sequence[float],
        target_range: Sequence[float],
        dtype: str = "float32",
    ) -> Tensor:
        """Images whose values are moved from one range to another."""
        images = to_tensor(images)
        (low, high), (new_low, new_high) = original_range, target_range
        if (low, high) == (new_low, new_high):
            return images
        scale = (new_high - new_low) / (high - low)
        return (ops.cast(images, dtype) - low) * scale + new_low


def shape_of(data: Any) -> tuple[int, ...]:
    """The shape of images, or of those in a dict; a shape itself stays as it is."""
    images = data["images"] if isinstance(data, Mapping) else data
    return tuple(map(int, getattr(images, "shape", images)))
