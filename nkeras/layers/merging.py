"""Layers that make one tensor of several, and the functions that call them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nkeras import ops
from nkeras.core.errors import is_a, short
from nkeras.core.graph import get_mask
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Axis, Masks, PartialShape, Shapes, Structure, Unpack
from nkeras.layers.base import Layer
from nkeras.layers.shapes import is_shape


class _Merge(Layer):
    """An elementwise function of a list of tensors; ranks are made equal at axis 1."""

    def __init__(self, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shapes) -> None:
        """Check the shapes."""
        shapes = self._shapes(input_shape)
        batches = {shape[0] for shape in shapes if shape} - {None}
        if len(batches) > 1:
            raise ValueError(
                f"{type(self).__name__}: tensors with different batch sizes cannot be merged. "
                f"Received: input_shape={short(input_shape)}"
            )
        rank = max(len(shape) for shape in shapes)
        padded = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in shapes]
        for sizes in list(zip(*padded, strict=True))[1:]:
            if len(set(sizes) - {None, 1}) > 1:
                raise ValueError(
                    f"{type(self).__name__}: inputs have incompatible shapes. Received: "
                    f"input_shape={short(input_shape)}"
                )

    def _shapes(self, input_shape: Shapes) -> list[PartialShape]:
        if is_shape(input_shape) or not input_shape:
            raise ValueError(
                f"{type(self).__name__}: this layer must be called on a list of at least 1 input. "
                f"Received: input_shape={short(input_shape)}"
            )
        return list(input_shape)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """The merged inputs."""
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(
                f"{type(self).__name__}: this layer must be called on a list of inputs. "
                f"Received: inputs={short(inputs)}"
            )
        rank = max(len(x.shape) for x in inputs)
        masks = [get_mask(x) for x in inputs]
        same_rank = [x if len(x.shape) == rank else _lift(x, rank) for x in inputs]
        return self.merge(same_rank, masks)

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The function, of tensors of equal rank and their masks."""
        raise NotImplementedError

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """Whatever one of the masks keeps, if all inputs have one."""
        masks = _check_masks(inputs, previous_mask)
        if not masks or any(mask is None for mask in masks):
            return None
        merged = masks[0]
        for mask in masks[1:]:
            merged = ops.logical_or(merged, mask)
        return merged


class Add(_Merge):
    """Sum of the inputs.

    Input shape: list of tensors of the same shape (or broadcastable). Output shape: theirs.

    Example:
        >>> import nkeras
        >>> Add()([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 3))]).shape
        (2, 3)

    Source: https://keras.io/api/layers/merging_layers/add/
    """

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The sum."""
        return _fold(ops.add, inputs)


class Subtract(_Merge):
    """First input minus second.

    Input shape: list of two tensors of the same shape. Output shape: theirs.

    Example:
        >>> import nkeras
        >>> Subtract()([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 3))]).shape
        (2, 3)

    Source: https://keras.io/api/layers/merging_layers/subtract/
    """

    def build(self, input_shape: Shapes) -> None:
        """Check the shapes."""
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(
                f"Subtract: this layer must be called on exactly 2 inputs. Received: "
                f"input_shape={short(input_shape)}"
            )

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The difference."""
        return ops.subtract(inputs[0], inputs[1])


class Multiply(_Merge):
    """Product of the inputs; masked elements count as 1, and are 0 where all inputs are masked.

    Input shape: list of tensors of the same shape. Output shape: theirs.

    Example:
        >>> import nkeras
        >>> Multiply()([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 3))]).shape
        (2, 3)

    Source: https://keras.io/api/layers/merging_layers/multiply/
    """

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The product."""
        masks = [_spread(mask, x) for mask, x in zip(masks, inputs, strict=True)]
        kept = [
            x if mask is None else ops.where(mask, x, ops.ones_like(x))
            for x, mask in zip(inputs, masks, strict=True)
        ]
        product = _fold(ops.multiply, kept)
        given = [mask for mask in masks if mask is not None]
        if len(given) < len(masks):
            return product
        return ops.where(_fold(ops.logical_or, given), product, ops.zeros_like(product))


class Average(_Merge):
    """Mean of the inputs.

    Input shape: list of tensors of the same shape. Output shape: theirs.

    Example:
        >>> import nkeras
        >>> Average()([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 3))]).shape
        (2, 3)

    Source: https://keras.io/api/layers/merging_layers/average/
    """

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The mean."""
        return ops.divide(_fold(ops.add, inputs), len(inputs))


class Maximum(_Merge):
    """Elementwise maximum of the inputs; of a masked and a kept element the kept one is taken.

    Input shape: list of tensors of the same shape. Output shape: theirs.

    Example:
        >>> import nkeras
        >>> Maximum()([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 3))]).shape
        (2, 3)

    Source: https://keras.io/api/layers/merging_layers/maximum/
    """

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The maximum."""
        return _fold_kept(ops.maximum, inputs, masks)


class Minimum(_Merge):
    """Elementwise minimum of the inputs; of a masked and a kept element the kept one is taken.

    Input shape: list of tensors of the same shape. Output shape: theirs.

    Example:
        >>> import nkeras
        >>> Minimum()([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 3))]).shape
        (2, 3)

    Source: https://keras.io/api/layers/merging_layers/minimum/
    """

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The minimum."""
        return _fold_kept(ops.minimum, inputs, masks)


class Concatenate(_Merge):
    """The inputs one behind the other along an axis.

    Args:
        axis: the axis.

    Input shape: list of tensors with equal sizes but along the axis. Output shape: theirs, with the
    sum of the sizes along the axis.

    Example:
        >>> import nkeras
        >>> Concatenate()([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 5))]).shape
        (2, 8)

    Source: https://keras.io/api/layers/merging_layers/concatenate/
    """

    def __init__(self, axis: int = -1, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Shapes) -> None:
        """Check the shapes."""
        shapes = self._shapes(input_shape)
        rank = len(shapes[0])
        message = (
            f"Concatenate: the inputs must have equal shapes but along axis {self.axis}. Received: "
            f"input_shape={input_shape}"
        )
        if any(len(shape) != rank for shape in shapes) or not -rank <= self.axis < rank:
            raise ValueError(message)
        for axis, sizes in enumerate(zip(*shapes, strict=True)):
            if axis != self.axis % rank and len(set(sizes) - {None}) > 1:
                raise ValueError(message)

    def merge(self, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The inputs joined."""
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """The masks joined; an input without one is kept as a whole."""
        masks = _check_masks(inputs, previous_mask)
        if not masks or all(mask is None for mask in masks):
            return None
        full = []
        for x, mask in zip(inputs, masks, strict=True):
            if mask is None:
                full.append(ops.ones_like(x, dtype="bool"))
            elif len(mask.shape) < len(x.shape):
                full.append(_spread(mask, x))
            else:
                full.append(mask)
        return ops.any(ops.concatenate(full, axis=self.axis), axis=-1)


class Dot(_Merge):
    """Dot products of two inputs along an axis of each, for each element of the batch.

    Args:
        axes: int or two ints: the axes to sum over, not 0.
        normalize: divide by the lengths first, which gives the cosine of the angle.

    Input shape: list of two tensors `(batch, ...)`. Output shape: both without their axis, the
    second also without its batch axis; `(batch, 1)` where nothing else is left.

    Raises:
        TypeError: `axes` is neither int nor list.
        ValueError: wrong number of axes or inputs, or unequal sizes.

    Example:
        >>> import nkeras
        >>> Dot(axes=(1, 2))([nkeras.ops.ones((2, 3)), nkeras.ops.ones((2, 5, 3))]).shape
        (2, 5)

    Source: https://keras.io/api/layers/merging_layers/dot/
    """

    def __init__(
        self, axes: Axis, normalize: bool = False, **kwargs: Unpack[AllLayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, (int, list, tuple)):
            raise TypeError(
                f"Dot: argument `axes` must be an int or a list. Received: axes={short(axes)}"
            )
        if not isinstance(axes, int) and (
            len(axes) != 2 or not all(is_a(axis, int) for axis in axes)
        ):
            raise ValueError(
                f"Dot: argument `axes` must hold two ints. Received: axes={short(axes)}"
            )
        self.axes = axes
        self.normalize = normalize

    def build(self, input_shape: Shapes) -> None:
        """Check the shapes."""
        shapes = self._shapes(input_shape)
        if len(shapes) != 2:
            raise ValueError(
                f"Dot: this layer must be called on a list of 2 inputs. Received: "
                f"{short(input_shape)}"
            )
        first, second = self._axes(*shapes)
        sizes = {shapes[0][first], shapes[1][second]} - {None}
        if first == 0 or second == 0 or len(sizes) > 1:
            raise ValueError(
                f"Dot: the sizes along the axes {first} and {second} must be equal, and the "
                f"axes not 0. Received: input_shape={short(input_shape)}"
            )

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """The dot products."""
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            raise ValueError(
                f"Dot: this layer must be called on a list of 2 inputs, not {short(inputs)}"
            )
        x, y = inputs
        first, second = self._axes(x.shape, y.shape)
        if self.normalize:
            x, y = _unit(x, first), _unit(y, second)
        # (batch, rest of x, size) @ (batch, size, rest of y)
        rest_x = [axis for axis in range(1, len(x.shape)) if axis != first]
        rest_y = [axis for axis in range(1, len(y.shape)) if axis != second]
        sizes_x = tuple(x.shape[axis] for axis in rest_x)
        sizes_y = tuple(y.shape[axis] for axis in rest_y)
        batch, size = x.shape[0], x.shape[first]
        x = ops.reshape(ops.transpose(x, (0, *rest_x, first)), (batch, math.prod(sizes_x), size))
        y = ops.reshape(ops.transpose(y, (0, second, *rest_y)), (batch, size, math.prod(sizes_y)))
        return ops.reshape(ops.matmul(x, y), (batch, *(sizes_x + sizes_y or (1,))))

    def _axes(self, first: PartialShape, second: PartialShape) -> tuple[int, int]:
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(axes, (first, second), strict=True):
            if not -len(shape) <= axis < len(shape):
                raise ValueError(
                    f"Dot: axis {short(axis)} is out of range for the shape {short(tuple(shape))}."
                )
        return axes[0] % len(first), axes[1] % len(second)

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """None: what was masked is summed over."""
        return None


def add(inputs: Sequence[Tensor], **kwargs: Unpack[AllLayerOptions]) -> Tensor:
    """The sum of a list of tensors; see `Add`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Tensor], **kwargs: Unpack[AllLayerOptions]) -> Tensor:
    """The difference of a list of two tensors; see `Subtract`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Tensor], **kwargs: Unpack[AllLayerOptions]) -> Tensor:
    """The product of a list of tensors; see `Multiply`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Tensor], **kwargs: Unpack[AllLayerOptions]) -> Tensor:
    """The mean of a list of tensors; see `Average`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Tensor], **kwargs: Unpack[AllLayerOptions]) -> Tensor:
    """The elementwise maximum of a list of tensors; see `Maximum`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Tensor], **kwargs: Unpack[AllLayerOptions]) -> Tensor:
    """The elementwise minimum of a list of tensors; see `Minimum`."""
    return Minimum(**kwargs)(inputs)


def concatenate(
    inputs: Sequence[Tensor], axis: int = -1, **kwargs: Unpack[AllLayerOptions]
) -> Tensor:
    """A list of tensors joined along an axis; see `Concatenate`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Sequence[Tensor], axes: Axis = -1, **kwargs: Unpack[AllLayerOptions]) -> Tensor:
    """Dot products of a list of two tensors; see `Dot`."""
    return Dot(axes=axes, **kwargs)(inputs)


def _fold(function: Callable[[Tensor, Tensor], Tensor], values: Sequence[Tensor]) -> Tensor:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def _fold_kept(
    function: Callable[[Tensor, Tensor], Tensor],
    inputs: Sequence[Tensor],
    masks: Sequence[Tensor | None],
) -> Tensor:
    """Fold; where one side is masked, both sides become the other one."""
    result, kept = inputs[0], _spread(masks[0], inputs[0])
    for x, mask in zip(inputs[1:], masks[1:], strict=True):
        mask = _spread(mask, x)
        if mask is not None:
            x = ops.where(mask, x, result)
        if kept is not None:
            result = ops.where(kept, result, x)
        kept = ops.logical_or(kept, mask) if kept is not None and mask is not None else None
        result = function(result, x)
    return result


def _lift(x: Tensor, rank: int) -> Tensor:
    """New axes of size 1 behind the batch axis."""
    return ops.reshape(x, (x.shape[0], *(1,) * (rank - len(x.shape)), *x.shape[1:]))


def _spread(mask: Tensor | None, x: Tensor) -> Tensor | None:
    """A mask in the shape of its tensor."""
    if mask is None:
        return None
    return ops.broadcast_to(ops.expand_dims(mask, -1), x.shape)


def _check_masks(inputs: Sequence[Tensor], masks: Masks) -> list[Tensor | None]:
    if masks is None:
        return []
    if not isinstance(masks, (list, tuple)) or len(masks) != len(inputs):
        raise ValueError(
            f"compute_mask: `mask` must be a list of {len(inputs)} masks, one for each input. "
            f"Received: mask={short(masks)}"
        )
    return list(masks)


def _unit(x: Tensor, axis: int) -> Tensor:
    length = ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), 1e-12))
    return ops.divide(x, length)
