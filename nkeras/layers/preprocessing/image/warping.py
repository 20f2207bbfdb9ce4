"""The base of layers that move pixels: each place of the result comes from where a matrix says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    Transformation,
)
from nkeras.ops.image.sampling import checked_mode, order_of

NEAR_ZERO = 1e-12


class WarpingLayer(BaseImagePreprocessingLayer):
    """A layer of which each transformation is a matrix, for images, masks and boxes alike.

    A subclass defines `get_random_transformation`, and `_matrix`, which makes a tensor `(batch, 8)`
    of it, as `nkeras.ops.image.affine_transform` takes it: `matrix_of` joins the eight numbers.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def _set_sampling(self, interpolation: str, fill_mode: str, fill_value: float) -> None:
        """How values between pixels and beyond the edges are found."""
        owner = type(self).__name__
        order_of(interpolation, owner)
        self.interpolation = interpolation
        self.fill_mode = checked_mode(fill_mode, owner)
        self.fill_value = fill_value

    def _matrix(self, transformation: Transformation) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_matrix`.")

    def _image_size(self, transformation: Transformation) -> tuple[int, int]:
        """Height and width of the images that a transformation is for."""
        sizes = self._sizes(tuple(transformation["input_shape"]))
        return sizes.height, sizes.width

    def _transform_images(
        self, images: Tensor, transformation: Transformation, interpolation: str
    ) -> Tensor:
        return ops.image.affine_transform(
            images,
            self._matrix(transformation),
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def transform_bounding_boxes(
        self,
        bounding_boxes: Mapping[str, TensorLike],
        transformation: Transformation,
        training: bool = True,
    ) -> dict[str, TensorLike]:
        """The smallest upright boxes around the moved ones."""
        if not training:
            return dict(bounding_boxes)
        matrix = self._matrix(transformation)
        return self._changed_boxes(
            bounding_boxes, lambda corners: moved(corners, matrix), self._image_size(transformation)
        )


def matrix_of(*numbers: Tensor | float) -> Tensor:
    """Matrices `(batch, 8)` of `a0, a1, a2, b0, b1, b2, c0, c1`, tensors `(batch,)` or numbers."""
    like = next(one for one in numbers if isinstance(one, Tensor))
    columns = [one if isinstance(one, Tensor) else ops.full_like(like, one) for one in numbers]
    return ops.stack(columns, -1)


def moved(corners: Tensor, matrix: Tensor) -> Tensor:
    """The smallest upright boxes around boxes `xyxy` whose image is sampled by matrices.

    The result's place `(x, y)` comes from the matrix times it: so boxes go the other way, by the
    inverse, whose common divisor cancels out.

    Args:
        corners: `(batch, n, 4)`, or `(n, 4)` of one image.
        matrix: `(batch, 8)`, or `(8,)` for all images.
    """
    columns = ops.split(ops.reshape(ops.cast(to_tensor(matrix), corners.dtype), (-1, 8)), 8, -1)
    a0, a1, a2, b0, b1, b2, c0, c1 = [ops.expand_dims(column, -1) for column in columns]
    is_single = len(corners.shape) == 2
    x1, y1, x2, y2 = ops.split(ops.expand_dims(corners, 0) if is_single else corners, 4, axis=-1)
    xs, ys = ops.concatenate([x1, x2, x2, x1], -1), ops.concatenate([y1, y1, y2, y2], -1)
    divisor = (b0 * c1 - b1 * c0) * xs + (a1 * c0 - a0 * c1) * ys + (a0 * b1 - a1 * b0)
    divisor = ops.where(ops.equal(divisor, 0.0), NEAR_ZERO, divisor)
    new_xs = ((b1 - b2 * c1) * xs + (a2 * c1 - a1) * ys + (a1 * b2 - a2 * b1)) / divisor
    new_ys = ((b2 * c0 - b0) * xs + (a0 - a2 * c0) * ys + (a2 * b0 - a0 * b2)) / divisor
    edges = [
        find(x, axis=-1, keepdims=True) for find in (ops.min, ops.max) for x in (new_xs, new_ys)
    ]
    found = ops.concatenate(edges, -1)
    return ops.squeeze(found, 0) if is_single and found.shape[0] == 1 else found
