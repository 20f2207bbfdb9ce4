"""Shapes: reshape, transpose, broadcast, concatenate, slice, flip, cast; what they make up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.core.primitive import PRIMITIVES, op, primitive, promoted, to_tensor
from nkeras.core.spec import (
    Shape,
    Spec,
    Typed,
    Unknown,
    broadcast_shapes,
    has_unknown,
    known_size,
    normalize_axes,
    normalize_axis,
)
from nkeras.core.strings import STRING, no_numbers
from nkeras.core.tape import sum_to
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, ShapeLike, TensorLike

Index = tuple[tuple[int, int | None, int] | int, ...]


@primitive(flat=("xs",), takes_text=True)
def _move_text(*xs: Typed, move: str, static: Mapping[str, object]) -> Spec:
    """What the primitive named `move` makes of text; others are its indices."""
    return PRIMITIVES[move].shape_rule(*xs, **static)  # pyright: ignore[reportReturnType]


@primitive(takes_complex=True, moves=True)
def _reshape(x: Typed, *, shape: Shape) -> Spec:
    if math.prod(shape) != math.prod(x.shape) and not has_unknown(x.shape, shape):
        raise ValueError(
            f"reshape: an array of shape {x.shape} has {math.prod(x.shape)} elements, the new "
            f"shape {short(shape)} needs {math.prod(shape)}."
        )
    return Spec(shape, x.dtype)


@_reshape.vjp("x")
def _(grad_y: Tensor, x_spec: Spec) -> Tensor:
    return _reshape(grad_y, shape=x_spec.shape)


@primitive(takes_complex=True, moves=True)
def _transpose(x: Typed, *, axes: tuple[int, ...]) -> Spec:
    return Spec(tuple(x.shape[axis] for axis in axes), x.dtype)


@_transpose.vjp("x")
def _(grad_y: Tensor, axes: tuple[int, ...]) -> Tensor:
    inverse = sorted(range(len(axes)), key=lambda axis: axes[axis])
    return _transpose(grad_y, axes=tuple(inverse))


@primitive(takes_complex=True, moves=True)
def _broadcast_to(x: Typed, *, shape: Shape) -> Spec:
    if broadcast_shapes(x.shape, shape, owner="broadcast_to") != tuple(shape):
        raise ValueError(f"broadcast_to: shape {x.shape} does not broadcast to {short(shape)}.")
    return Spec(shape, x.dtype)


@_broadcast_to.vjp("x")
def _(grad_y: Tensor, x_spec: Spec) -> Tensor:
    return sum_to(grad_y, x_spec)


@primitive(takes_complex=True, moves=True)
def _concatenate(*xs: Typed, axis: int) -> Spec:
    first = xs[0].shape
    for x in xs[1:]:
        if len(x.shape) != len(first) or any(
            a != b and not has_unknown((a, b))
            for i, (a, b) in enumerate(zip(x.shape, first, strict=False))
            if i != axis
        ):
            raise ValueError(
                "concatenate: all sizes but those along the axis must be equal. Received shapes "
                f"{short([tuple(x.shape) for x in xs])} and axis {short(axis)}."
            )
    total = sum(x.shape[axis] for x in xs)
    if has_unknown(first):
        first = tuple([known_size(sizes) for sizes in zip(*[x.shape for x in xs], strict=True)])
    return Spec((*first[:axis], total, *first[axis + 1 :]), xs[0].dtype)


@_concatenate.vjp("xs")
def _(grad_y: Tensor, xs_spec: list[Spec], axis: int) -> list[Tensor]:
    grads, start = [], 0
    for spec in xs_spec:
        stop = start + spec.shape[axis]
        index = tuple(
            (start, stop, 1) if i == axis else (0, size, 1) for i, size in enumerate(spec.shape)
        )
        grads.append(slice_(grad_y, index=index))
        start = stop
    return grads


@primitive(takes_complex=True, moves=True)
def stack_(*xs: Typed, axis: int) -> Spec:
    """Tensors of one shape along a new axis."""
    shape = xs[0].shape
    for x in xs:
        if x.shape != shape:
            raise ValueError(
                f"stack: all shapes must be equal. Received: {short([tuple(x.shape) for x in xs])}"
            )
    return Spec((*shape[:axis], len(xs), *shape[axis:]), xs[0].dtype)


@stack_.vjp("xs")
def _(grad_y: Tensor, xs_spec: list[Spec], axis: int) -> list[Tensor]:
    return unstacked(grad_y, axis)


def _sliced_shape(shape: Shape, index: Index) -> Shape:
    sizes = []
    for size, part in zip(shape, index, strict=True):
        if not isinstance(part, int):
            start, stop, step = part
            if stop is None:
                stop = -1 if step < 0 else size
            count = len(range(start, stop, step))
            to_unknown_end = isinstance(size, Unknown) and stop == size
            sizes.append(Unknown(count) if to_unknown_end else count)
    return tuple(sizes)


@primitive(takes_complex=True, moves=True)
def slice_(x: Typed, *, index: Index) -> Spec:
    """What `index` selects: (start, stop, step) for each axis, or an int, which removes it."""
    return Spec(_sliced_shape(x.shape, index), x.dtype)


@slice_.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, index: Index) -> Tensor:
    return slice_grad(grad_y, shape=x_spec.shape, index=index)


@primitive(takes_complex=True)
def slice_grad(grad_y: Typed, *, shape: Shape, index: Index) -> Spec:
    """Zeros of `shape` with `grad_y` where `index` selects."""
    return Spec(shape, grad_y.dtype)


@slice_grad.vjp("grad_y")
def _(grad_y: Tensor, index: Index) -> Tensor:
    return slice_(grad_y, index=index)


@primitive(takes_complex=True, moves=True)
def flip_(x: Typed, *, axis: tuple[int, ...]) -> Spec:
    """Reversed along axes."""
    return Spec(x.shape, x.dtype)


@flip_.vjp("x")
def _(grad_y: Tensor, axis: tuple[int, ...]) -> Tensor:
    return flip_(grad_y, axis=axis)


@primitive(takes_complex=True)
def _cast(x: Typed, *, dtype: str) -> Spec:
    return Spec(x.shape, dtype)


@_cast.vjp("x")
def _(grad_y: Tensor, x_spec: Spec) -> Tensor:
    return _cast(grad_y, dtype=x_spec.dtype)


@op
def cast(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """Convert to another dtype; float to int truncates.

    Args:
        x: tensor.
        dtype: dtype name.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.ops.cast([1.7, -1.7], "int32").numpy()
        array([ 1, -1], dtype=int32)

    Source: https://keras.io/api/ops/core/
    """
    x = to_tensor(x)
    name = dtypes.standardize_dtype(dtype)
    if x.dtype == name:
        return x
    if name == STRING:
        raise no_numbers("cast", x.dtype)
    return _cast(x, dtype=name)


@op
def reshape(x: TensorLike, newshape: ShapeLike | int) -> Tensor:
    """Give a tensor another shape, elements in row-major order.

    Args:
        x: tensor.
        newshape: int or tuple of int; one size may be -1.

    Returns:
        Tensor of shape `newshape`.

    Raises:
        ValueError: the number of elements differs, or -1 stands twice.

    Example:
        >>> import nkeras
        >>> nkeras.ops.reshape([[1, 2], [3, 4]], (-1,)).shape
        (4,)
    """
    x = to_tensor(x)
    sizes: Any = (newshape,) if isinstance(newshape, (int, np.integer)) else newshape
    shape = [size if isinstance(size, int) else int(size) for size in sizes]
    if shape.count(-1) > 1 or min(shape, default=0) < -1:
        raise ValueError(
            f"reshape: argument `newshape` may hold one -1. Received: {short(tuple(shape))}"
        )
    if -1 in shape:
        known = -math.prod(shape)
        total = math.prod(x.shape)
        if known == 0 or total % known:
            raise ValueError(f"reshape: shape {x.shape} cannot become {short(tuple(shape))}.")
        shape[shape.index(-1)] = total // known
    return shaped(x, tuple(shape))


def shaped(x: Tensor, shape: Shape) -> Tensor:
    """A tensor in another shape, whose sizes are all known."""
    return x if x.shape == shape else _reshape(x, shape=shape)


def section(
    x: Tensor, axis: int, start: int | None, stop: int | None, step: int | None = None
) -> Tensor:
    """What `start:stop:step`, with a positive step, selects along an axis."""
    index = [(0, size, 1) for size in x.shape]
    first, last, by = slice(start, stop, step).indices(x.shape[axis])
    bounds = (first, max(first, last), by)
    if bounds == index[axis]:
        return x
    index[axis] = bounds
    return slice_(x, index=tuple(index))


def unstacked(x: Tensor, axis: int) -> list[Tensor]:
    """The slices along an axis, without it."""
    whole = [(0, size, 1) for size in x.shape]
    before, behind = whole[:axis], whole[axis + 1 :]
    return [slice_(x, index=(*before, i, *behind)) for i in range(x.shape[axis])]


def turned(x: Tensor) -> Tensor:
    """A tensor with its last two axes exchanged."""
    rank = len(x.shape)
    return _transpose(x, axes=(*range(rank - 2), rank - 1, rank - 2))


@op
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """Permute the axes.

    Args:
        x: tensor.
        axes: a permutation; None reverses the axes.

    Returns:
        Tensor of the permuted shape.

    Raises:
        ValueError: `axes` is no permutation.

    Example:
        >>> import nkeras
        >>> nkeras.ops.transpose(nkeras.ops.ones((2, 3, 4)), (1, 0, 2)).shape
        (3, 2, 4)
    """
    x = to_tensor(x)
    rank = len(x.shape)
    order = (
        tuple(range(rank))[::-1]
        if axes is None
        else tuple(normalize_axis(axis, rank, "transpose") for axis in axes)
    )
    if sorted(order) != list(range(rank)):
        raise ValueError(
            f"transpose: axes {short(axes)} is no permutation of the {rank} axes of {x.shape}."
        )
    return x if order == tuple(range(rank)) else _transpose(x, axes=order)


@op
def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """Repeat along new axes and axes of size 1.

    Args:
        x: tensor.
        shape: the shape to reach.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: `x` does not broadcast to it.
    """
    x = to_tensor(x)
    shape = tuple(int(size) for size in shape)
    return x if shape == x.shape else _broadcast_to(x, shape=shape)


@op
def concatenate(xs: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis; dtypes are promoted.

    Args:
        xs: tensors whose shapes agree but for `axis`.
        axis: int.

    Returns:
        Tensor.

    Raises:
        ValueError: shapes do not fit, or the list is empty.

    Example:
        >>> import nkeras
        >>> nkeras.ops.concatenate([[[1]], [[2]]], axis=1).numpy()
        array([[1, 2]], dtype=int32)
    """
    tensors = [to_tensor(x) for x in xs]
    if not tensors:
        raise ValueError("concatenate: argument `xs` must hold at least one tensor.")
    axis = normalize_axis(axis, len(tensors[0].shape), "concatenate")
    return _concatenate(*promoted(*tensors), axis=axis)


@op
def stack(x: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis.

    Args:
        x: tensors of equal shapes.
        axis: where the new axis stands.

    Returns:
        Tensor with one more axis.
    """
    tensors = [to_tensor(tensor) for tensor in x]
    if not tensors:
        raise ValueError("stack: argument `x` must hold at least one tensor.")
    axis = normalize_axis(axis, len(tensors[0].shape) + 1, "stack")
    return stack_(*promoted(*tensors), axis=axis)


@op
def expand_dims(x: TensorLike, axis: int | Sequence[int]) -> Tensor:
    """Insert axes of size 1.

    Args:
        x: tensor.
        axis: position or positions in the result.

    Returns:
        Tensor.
    """
    x = to_tensor(x)
    if type(axis) is int:
        place = normalize_axis(axis, len(x.shape) + 1, "expand_dims")
        return shaped(x, (*x.shape[:place], 1, *x.shape[place:]))
    count = len(tuple(axis)) if hasattr(axis, "__iter__") else 1  # type: ignore[arg-type]
    rank = len(x.shape) + count
    new = set(normalize_axes(axis, rank, "expand_dims"))
    sizes = iter(x.shape)
    return shaped(x, tuple(1 if i in new else next(sizes) for i in range(rank)))


@op
def squeeze(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Remove axes of size 1.

    Args:
        x: tensor.
        axis: which; None removes all of size 1.

    Returns:
        Tensor.

    Raises:
        ValueError: an axis to remove has another size.
    """
    x = to_tensor(x)
    if axis is None:
        return shaped(x, tuple(size for size in x.shape if size != 1))
    gone = normalize_axes(axis, len(x.shape), "squeeze")
    if any(x.shape[i] != 1 for i in gone):
        raise ValueError(f"squeeze: axes {short(axis)} of shape {x.shape} do not all have size 1.")
    return shaped(x, tuple(size for i, size in enumerate(x.shape) if i not in gone))


@op
def swapaxes(x: TensorLike, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes.

    Args:
        x: tensor.
        axis1: int.
        axis2: int.

    Returns:
        Tensor.
    """
    x = to_tensor(x)
    order = list(range(len(x.shape)))
    a = normalize_axis(axis1, len(order), "swapaxes")
    b = normalize_axis(axis2, len(order), "swapaxes")
    order[a], order[b] = order[b], order[a]
    return transpose(x, order)


@op
def flip(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Reverse the order of elements along axes.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all axes.

    Returns:
        Tensor of the same shape.
    """
    x = to_tensor(x)
    return flip_(x, axis=normalize_axes(axis, len(x.shape), "flip"))
