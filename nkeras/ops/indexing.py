"""Gathering and scattering by integer indices. Indices out of range are errors, not clamped.

On a device nobody looks at them: `take` gives NaN, all else takes them modulo the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nkeras.core import dtypes, graph, observer
from nkeras.core.errors import short
from nkeras.core.host import on_host
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.spec import Shape, Spec, Typed, broadcast_shapes, normalize_axis
from nkeras.core.tensor import Tensor, is_on_host, to_array
from nkeras.core.typing import ShapeLike, TensorLike
from nkeras.ops.elementwise import divide_no_nan, equal, mod, where_
from nkeras.ops.shape import cast, reshape, stack


@primitive(flat=("indices",), takes_complex=True, moves=True)
def take_(x: Typed, indices: Typed, *, axis: int) -> Spec:
    """Slices at `indices` along one axis."""
    return Spec((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


@take_.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, indices: Tensor, axis: int) -> Tensor:
    return take_grad(grad_y, indices, shape=x_spec.shape, axis=axis)


@primitive(outputs=("grad_x",), flat=("indices",), takes_complex=True)
def take_grad(grad_y: Typed, indices: Typed, *, shape: Shape, axis: int) -> Spec:
    """Zeros of `shape` with slices added where `take` found them."""
    return Spec(shape, grad_y.dtype)


@take_grad.vjp("grad_y")
def _(grad_grad_x: Tensor, indices: Tensor, axis: int) -> Tensor:
    return take_(grad_grad_x, indices, axis=axis)


@primitive(flat=("indices",), takes_complex=True, moves=True)
def take_along_axis_(x: Typed, indices: Typed, *, axis: int) -> Spec:
    """Elements at `indices` along one axis."""
    x_rest = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    rest = (*indices.shape[:axis], 1, *indices.shape[axis + 1 :])
    shape = broadcast_shapes(x_rest, rest, owner="take_along_axis")
    return Spec((*shape[:axis], indices.shape[axis], *shape[axis + 1 :]), x.dtype)


@take_along_axis_.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, indices: Tensor, axis: int) -> Tensor:
    return take_along_axis_grad(grad_y, indices, shape=x_spec.shape, axis=axis)


@primitive(outputs=("grad_x",), flat=("indices",), takes_complex=True)
def take_along_axis_grad(grad_y: Typed, indices: Typed, *, shape: Shape, axis: int) -> Spec:
    """Zeros with elements added where `take_along_axis` found them."""
    return Spec(shape, grad_y.dtype)


@take_along_axis_grad.vjp("grad_y")
def _(grad_grad_x: Tensor, indices: Tensor, axis: int) -> Tensor:
    return take_along_axis_(grad_grad_x, indices, axis=axis)


@primitive(flat=("indices",), takes_complex=True, moves=True)
def gather_nd(x: Typed, indices: Typed) -> Spec:
    """Elements or slices at coordinates."""
    return Spec((*indices.shape[:-1], *x.shape[indices.shape[-1] :]), x.dtype)


@gather_nd.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, indices: Tensor) -> Tensor:
    return scatter_nd(indices, grad_y, shape=x_spec.shape)


@primitive(flat=("indices",), takes_complex=True)
def scatter_nd(indices: Typed, values: Typed, *, shape: Shape) -> Spec:
    """Zeros of `shape`, to which values are added at coordinates."""
    expected = (*indices.shape[:-1], *shape[indices.shape[-1] :])
    if tuple(values.shape) != expected:
        raise ValueError(
            f"scatter: values must have the shape {expected} for indices of shape {indices.shape} "
            f"and a result of shape {short(shape)}. Received values of shape {values.shape}"
        )
    return Spec(shape, values.dtype)


@scatter_nd.vjp("values")
def _(grad_y: Tensor, indices: Tensor) -> Tensor:
    return gather_nd(grad_y, indices)


@primitive(flat=("indices",), takes_complex=True)
def scatter_update_(x: Typed, indices: Typed, updates: Typed) -> Spec:
    """The tensor x with updates written at coordinates."""
    expected = (*indices.shape[:-1], *x.shape[indices.shape[-1] :])
    if tuple(updates.shape) != expected:
        raise ValueError(
            f"scatter_update: updates must have the shape {expected} for indices of shape "
            f"{indices.shape} into {x.shape}. Received updates of shape {updates.shape}"
        )
    return Spec(x.shape, x.dtype)


@scatter_update_.vjp("x")
def _(grad_y: Tensor, indices: Tensor, updates_spec: Spec) -> Tensor:
    return scatter_update_(grad_y, indices, to_tensor(np.zeros(updates_spec.shape), grad_y.dtype))


@scatter_update_.vjp("updates")
def _(grad_y: Tensor, x_spec: Spec, indices: Tensor, updates_spec: Spec) -> Tensor:
    """Of several writes to one place only the last one has a gradient."""
    rows = int(np.prod(indices.shape[:-1]))
    numbers = reshape(to_tensor(np.arange(rows)), indices.shape[:-1])
    depth = indices.shape[-1]
    winner = scatter_update_(to_tensor(np.full(x_spec.shape[:depth], -1)), indices, numbers)
    is_last = cast(gather_nd(winner, indices) == numbers, grad_y.dtype)
    mask = reshape(is_last, (*indices.shape[:-1], *([1] * (len(x_spec.shape) - depth))))
    return gather_nd(grad_y, indices) * mask


@primitive(flat=("indices",))
def scatter_reduce(x: Typed, indices: Typed, updates: Typed, *, reduction: str) -> Spec:
    """The tensor x, joined at coordinates with updates by `"max"`, `"min"` or `"mul"`."""
    expected = (*indices.shape[:-1], *x.shape[indices.shape[-1] :])
    if tuple(updates.shape) != expected:
        raise ValueError(
            f"scatter_update: updates must have the shape {expected} for indices of shape "
            f"{indices.shape} into {x.shape}. Received updates of shape {updates.shape}"
        )
    return Spec(x.shape, x.dtype)


@scatter_reduce.vjp("x", "updates")
def _(
    grad_y: Tensor, x: Tensor, indices: Tensor, updates: Tensor, y: Tensor, reduction: str
) -> tuple[Tensor, Tensor]:
    """Equal extremes share the gradient evenly; of a product each one has that of the others."""
    added = {"shape": x.shape}
    if reduction == "mul":
        zero, zeros = equal(x, 0.0), equal(updates, 0.0)
        count = cast(zero, x.dtype) + scatter_nd(indices, cast(zeros, x.dtype), **added)
        own, others = where_(zero, 1.0, x), where_(zeros, 1.0, updates)
        rest = scatter_reduce(own, indices, others, reduction="mul")

        def without(is_zero: Tensor, value: Tensor, rest: Tensor, count: Tensor) -> Tensor:
            alone = cast(equal(count, cast(is_zero, x.dtype)), x.dtype)
            return alone * rest / value

        at = gather_nd(rest, indices), gather_nd(count, indices)
        return (
            grad_y * without(zero, own, rest, count),
            gather_nd(grad_y, indices) * without(zeros, others, *at),
        )
    of_x = cast(equal(x, y), x.dtype)
    of_updates = cast(equal(updates, gather_nd(y, indices)), x.dtype)
    share = divide_no_nan(grad_y, of_x + scatter_nd(indices, of_updates, **added))
    return of_x * share, of_updates * gather_nd(share, indices)


def _takes_any_index(indices: Tensor) -> bool:
    """Whether they are on a device whose kernels see to indices that are out of range."""
    return getattr(indices.backend, "takes_any_index", False) and dtypes.is_integer(indices.dtype)


def checked_indices(
    indices: TensorLike, size: int, owner: str, *, unchecked: bool = False
) -> Tensor:
    """Integer indices as non-negative int32 tensor.

    With `unchecked` those that are on a device stay as they are, where its kernels see to them.

    While a step is recorded, replays check them too, and negative ones are left to the kernels.
    Other ones on a device are not looked at, for that would wait for it: they are taken modulo the
    size.

    Raises:
        ValueError: an index is out of `[-size, size)`.
    """
    if unchecked and isinstance(indices, Tensor) and _takes_any_index(indices):
        return cast(indices, "int32")
    given, indices = indices, to_tensor(indices)
    if indices.dtype == "bool" or not dtypes.is_integer(indices.dtype):
        indices = cast(indices, "int32")
    if isinstance(indices, graph.KerasTensor):
        return indices
    if not is_on_host(indices):
        for values in _given(given):
            _check_range(values, size, owner)
        return _modulo(indices, [size])
    if observer.active() is not None and isinstance(given, Tensor):
        on_host(lambda values: _check_range(values, size, owner), indices)
    elif _check_range(indices.numpy(), size, owner):
        values = indices.numpy()
        indices = to_tensor(np.where(values < 0, values + size, values), "int32")
    return cast(indices, "int32")


def _given(indices: object) -> list[np.ndarray]:
    """The indices where the caller has them on the host, though the tensor is on a device."""
    if isinstance(indices, (np.ndarray, int, list, tuple)):
        values, dtype = to_array(indices)
        if dtypes.is_integer(dtype):
            return [values]
    return []


def _modulo(indices: Tensor, sizes: Sequence[int]) -> Tensor:
    """In range for sure, and what counts from the end from the beginning."""
    indices = cast(indices, "int32")
    return mod(indices, sizes if len(sizes) > 1 else sizes[0]) if all(sizes) else indices


def _check_range(values: np.ndarray, size: int, owner: str) -> bool:
    """Refuse indices that are out of range; whether there are negative ones."""
    least, most = (int(values.min()), int(values.max())) if values.size else (0, -1)
    if least < -size or most >= size:
        wrong = values[(values < -size) | (values >= size)].ravel()[0]
        raise ValueError(
            f"{owner}: index {wrong} is out of range for an axis of size {size}; indices must be "
            f"in [{-size}, {size - 1}]."
        )
    return least < 0


@op
def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """Elements of `x` at integer positions along an axis.

    Args:
        x: tensor.
        indices: tensor of int; negative ones count from the end.
        axis: int; None takes from the flattened tensor.

    Returns:
        Tensor of shape `x.shape[:axis] + indices.shape + x.shape[axis + 1:]`.

    Raises:
        ValueError: an index is out of range (Keras clamps silently, depending on its backend). For
            indices on a GPU the result is NaN there instead, because checking would make every step
            wait.

    Example:
        >>> import nkeras
        >>> nkeras.ops.take([10.0, 20.0, 30.0], [2, 0]).numpy()
        array([30., 10.], dtype=float32)
    """
    x = to_tensor(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    axis = normalize_axis(axis, len(x.shape), "take")
    return take_(x, checked_indices(indices, x.shape[axis], "take", unchecked=True), axis=axis)


@op
def take_along_axis(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """Elements of `x` at one position per line along an axis.

    Args:
        x: tensor.
        indices: tensor of int of the same rank; the other dimensions broadcast.
        axis: int; None takes from the flattened tensor.

    Returns:
        Tensor.

    Raises:
        ValueError: an index is out of range, or the ranks differ.
    """
    x, indices = to_tensor(x), to_tensor(indices)
    if axis is None:
        x, indices, axis = reshape(x, -1), reshape(indices, -1), 0
    if len(x.shape) != len(indices.shape):
        raise ValueError(
            f"take_along_axis: `x` and `indices` must have the same rank. Received shapes "
            f"{x.shape} and {indices.shape}"
        )
    axis = normalize_axis(axis, len(x.shape), "take_along_axis")
    return take_along_axis_(
        x, checked_indices(indices, x.shape[axis], "take_along_axis"), axis=axis
    )


def checked_coordinates(indices: TensorLike, shape: Shape, owner: str) -> Tensor:
    """Coordinates `(..., depth)` as non-negative int32 tensor, checked as `checked_indices`."""
    given, indices = indices, to_tensor(indices)
    depth = indices.shape[-1] if indices.shape else 0
    if not 1 <= depth <= len(shape):
        raise ValueError(
            f"{owner}: the last size of `indices` must be in [1, {len(shape)}] for {short(shape)}. "
            f"Received indices of shape {indices.shape}"
        )
    if isinstance(indices, graph.KerasTensor):
        return indices
    if not is_on_host(indices):
        for values in _given(given):
            _check_columns(values, shape, owner)
        return _modulo(indices, shape[:depth])
    if observer.active() is not None and isinstance(given, Tensor):
        on_host(lambda values: _check_columns(values, shape, owner), indices)
        return cast(indices, "int32")
    columns = [checked_indices(indices.numpy()[..., i], shape[i], owner) for i in range(depth)]
    return stack(columns, axis=-1)


def _check_columns(values: np.ndarray, shape: Shape, owner: str) -> None:
    for i in range(values.shape[-1]):
        _check_range(values[..., i], shape[i], owner)


@op
def scatter(indices: TensorLike, values: TensorLike, shape: ShapeLike) -> Tensor:
    """Zeros of `shape` with `values` added at coordinates.

    Args:
        indices: tensor of int `(..., depth)`.
        values: tensor `(..., *shape[depth:])`.
        shape: shape of the result.

    Returns:
        Tensor of `shape`; values with the same coordinates are added, in their order.

    Raises:
        ValueError: a coordinate is out of range, or the shapes do not fit.
    """
    shape = tuple(int(size) for size in shape)
    return scatter_nd(
        checked_coordinates(indices, shape, "scatter"), to_tensor(values), shape=shape
    )


def advanced_getitem(x: Tensor, keys: tuple[Any, ...]) -> Tensor:
    """`x[keys]` where some keys are integer tensors or boolean masks."""
    if any(isinstance(key, graph.KerasTensor) for key in keys) and len(keys) == 1:
        return take(x, keys[0], axis=0)
    arrays = [_host(key) for key in keys]
    positions = np.arange(int(np.prod(x.shape)), dtype=np.int64).reshape(x.shape)
    try:
        chosen = positions[tuple(arrays)]
    except IndexError as error:
        raise IndexError(f"Index into a tensor of shape {x.shape}: {error}") from None
    return take(reshape(x, -1), chosen.astype("int32"), axis=0)


def _host(key: Any) -> Any:
    if key is None or key is Ellipsis or isinstance(key, (int, slice)):
        return key
    return to_tensor(key).numpy() if not isinstance(key, Tensor) else key.numpy()
