"""Reductions over axes, and cumulative and sorting operations along one."""

from __future__ import annotations

import math

from nkeras.core.errors import short
from nkeras.core.primitive import Primitive, op, primitive, to_floating, to_tensor
from nkeras.core.spec import Spec, Typed, normalize_axes, reduced_shape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Axis, DTypeLike, TensorLike
from nkeras.ops.core import full, stop_gradient
from nkeras.ops.elementwise import (
    divide_no_nan,
    equal,
    exp,
    isfinite,
    log,
    maximum,
    minimum,
    where_,
)
from nkeras.ops.padding import pad
from nkeras.ops.shape import broadcast_to, cast, concatenate, flip, reshape, section, transpose

Axes = tuple[int, ...]


def _reduced(x: Typed, axis: Axes, keepdims: bool) -> Spec:
    return Spec(reduced_shape(x.shape, axis, keepdims), x.dtype)


def _spread(grad: Tensor, spec: Spec, axis: Axes) -> Tensor:
    """A reduced tensor brought back to the shape before the reduction."""
    return broadcast_to(reshape(grad, reduced_shape(spec.shape, axis, True)), spec.shape)


@primitive(takes_complex=True)
def reduce_sum(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Sum over `axis`."""
    return _reduced(x, axis, keepdims)


@reduce_sum.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, axis: Axes) -> Tensor:
    return _spread(grad_y, x_spec, axis)


@primitive()
def sum_of_squares(x: Typed) -> Spec:
    """Sum of the squares of all elements, of rank 0."""
    return Spec((), x.dtype)


@sum_of_squares.vjp("x")
def _(grad_y: Tensor, x: Tensor) -> Tensor:
    return x * (grad_y * 2.0)


@primitive(takes_complex=True)
def reduce_mean(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Mean over `axis`."""
    return _reduced(x, axis, keepdims)


@reduce_mean.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, axis: Axes) -> Tensor:
    count = math.prod(x_spec.shape[i] for i in axis)
    return _spread(grad_y * (1.0 / (count or 1)), x_spec, axis)


@primitive(takes_complex=True)
def reduce_prod(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Product over `axis`."""
    return _reduced(x, axis, keepdims)


@reduce_prod.vjp("x")
def _(grad_y: Tensor, x: Tensor, axis: Axes) -> Tensor:
    """Products of all the others, from both sides, so that zeros do no harm."""
    rank = len(x.shape)
    kept = [i for i in range(rank) if i not in axis]
    order = (*kept, *axis)
    moved = transpose(x, order)
    flat = reshape(moved, (*(x.shape[i] for i in kept), math.prod(x.shape[i] for i in axis)))
    others = _exclusive(flat, False) * _exclusive(flat, True)
    grad = reshape(grad_y, (*flat.shape[:-1], 1)) * others
    inverse = sorted(range(rank), key=lambda i: order[i])
    return transpose(reshape(grad, moved.shape), inverse)


def _exclusive(x: Tensor, reverse: bool) -> Tensor:
    """Products of all elements before (or behind) each one along the last axis."""
    x = flip(x, -1) if reverse else x
    widths = [(0, 0)] * (len(x.shape) - 1) + [(1, 0)]
    before = pad(x, widths, constant_values=1.0)[..., :-1]
    product = cumprod_(before, axis=len(x.shape) - 1)
    return flip(product, -1) if reverse else product


def _extreme_rule(function: Primitive[Tensor]) -> None:
    @function.vjp("x")
    def _(grad_y: Tensor, x: Tensor, y: Tensor, axis: Axes) -> Tensor:
        """Split evenly between equal extremes, as JAX does."""
        spec = Spec(x.shape, x.dtype)
        chosen = cast(equal(x, _spread(y, spec, axis)), x.dtype)
        share = divide_no_nan(chosen, reduce_sum(chosen, axis=axis, keepdims=True))
        return _spread(grad_y, spec, axis) * share


@primitive()
def reduce_max(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Largest element over `axis`."""
    return _reduced(x, axis, keepdims)


@primitive()
def reduce_min(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Smallest element over `axis`."""
    return _reduced(x, axis, keepdims)


@primitive()
def reduce_fmax(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Largest element over `axis` that is not NaN; NaN where there is none."""
    return _reduced(x, axis, keepdims)


@primitive()
def reduce_fmin(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Smallest element over `axis` that is not NaN; NaN where there is none."""
    return _reduced(x, axis, keepdims)


for _function in (reduce_max, reduce_min, reduce_fmax, reduce_fmin):
    _extreme_rule(_function)


@primitive(flat=("x",))
def reduce_any(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Whether any element is true."""
    return _reduced(x, axis, keepdims)


@primitive(flat=("x",))
def reduce_all(x: Typed, *, axis: Axes, keepdims: bool) -> Spec:
    """Whether all elements are true."""
    return _reduced(x, axis, keepdims)


@primitive(flat=("x",))
def argmax_(x: Typed, *, axis: int, keepdims: bool) -> Spec:
    """Position of the largest element along one axis."""
    return Spec(reduced_shape(x.shape, (axis,), keepdims), "int32")


@primitive(flat=("x",))
def argmin_(x: Typed, *, axis: int, keepdims: bool) -> Spec:
    """Position of the smallest element along one axis."""
    return Spec(reduced_shape(x.shape, (axis,), keepdims), "int32")


@primitive(takes_complex=True)
def cumsum_(x: Typed, *, axis: int) -> Spec:
    """Sums up to each element along one axis."""
    return Spec(x.shape, x.dtype)


@cumsum_.vjp("x")
def _(grad_y: Tensor, axis: int) -> Tensor:
    return flip(cumsum_(flip(grad_y, axis), axis=axis), axis)


@primitive(takes_complex=True)
def cumprod_(x: Typed, *, axis: int) -> Spec:
    """Products up to each element along one axis."""
    return Spec(x.shape, x.dtype)


@cumprod_.vjp("x")
def _(grad_y: Tensor, x: Tensor, y: Tensor, axis: int) -> Tensor:
    """The product of what stands before, times what comes back from behind: right at zeros."""
    return _before(y, 1.0, axis) * _from_behind(grad_y, x, axis)


def _before(y: Tensor, first: float, axis: int) -> Tensor:
    """At each place of an axis the element before it; at the first one a number."""
    start = full(section(y, axis, 0, 1).shape, first, y.dtype)
    return concatenate([start, section(y, axis, None, -1)], axis)


def _from_behind(grad: Tensor, factors: Tensor, axis: int) -> Tensor:
    """`z` with `z[i] = grad[i] + factors[i + 1] * z[i + 1]`."""
    following = concatenate([section(factors, axis, 1, None), section(factors, axis, 0, 1)], axis)
    return flip(linear_recurrence(flip(grad, axis), flip(following, axis), axis=axis), axis)


@primitive(takes_complex=True)
def linear_recurrence(x: Typed, factors: Typed, *, axis: int) -> Spec:
    """`y[i] = x[i] + factors[i] * y[i - 1]` along one axis; the first factor has no effect."""
    return Spec(x.shape, x.dtype)


@linear_recurrence.vjp("x", "factors")
def _(grad_y: Tensor, factors: Tensor, y: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    grad_x = _from_behind(grad_y, factors, axis)
    return grad_x, grad_x * _before(y, 0.0, axis)


@primitive()
def sort_(x: Typed, *, axis: int) -> Spec:
    """Ascending along one axis."""
    return Spec(x.shape, x.dtype)


@sort_.vjp("x")
def _(grad_y: Tensor, x: Tensor, axis: int) -> Tensor:
    from nkeras.ops.indexing import take_along_axis

    inverse = argsort_(argsort_(x, axis=axis), axis=axis)
    return take_along_axis(grad_y, inverse, axis)


@primitive(flat=("x",))
def argsort_(x: Typed, *, axis: int) -> Spec:
    """Positions that sort along one axis."""
    return Spec(x.shape, "int32")


def _axes(x: Tensor, axis: Axis, owner: str) -> Axes:
    return normalize_axes(axis, len(x.shape), owner)


def _widened(x: Tensor) -> Tensor:
    """Bool and small integers become 32 bits wide, as sums and products need it."""
    if x.dtype in ("bool", "int8", "int16"):
        return cast(x, "int32")
    return cast(x, "uint32") if x.dtype in ("uint8", "uint16") else x


@op
def sum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over axes; bool and small integers are added as int32.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        Tensor.

    Example:
        >>> import nkeras
        >>> nkeras.ops.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).numpy()
        array([4., 6.], dtype=float32)
    """
    x = _widened(to_tensor(x))
    return reduce_sum(x, axis=_axes(x, axis, "sum"), keepdims=keepdims)


@op
def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Mean over axes; integers give a float.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        Tensor.
    """
    x = to_floating(x)
    return reduce_mean(x, axis=_axes(x, axis, "mean"), keepdims=keepdims)


@op
def prod(
    x: TensorLike, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike = None
) -> Tensor:
    """Product over axes; bool and small integers are multiplied as int32.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.
        dtype: dtype of the result.

    Returns:
        Tensor.
    """
    x = to_tensor(x)
    x = _widened(x) if dtype is None else cast(x, dtype)
    return reduce_prod(x, axis=_axes(x, axis, "prod"), keepdims=keepdims)


def _extreme(
    function: Primitive[Tensor],
    x: TensorLike,
    axis: Axis,
    keepdims: bool,
    initial: TensorLike | None,
    owner: str,
) -> Tensor:
    x = to_tensor(x)
    axes = _axes(x, axis, owner)
    is_max = function is reduce_max
    if any_empty(x, axes):
        if initial is None:
            raise ValueError(
                f"{owner}: the reduced axes {short(axes)} of an array of shape {x.shape} are empty "
                "and have no extreme; give `initial`."
            )
        return broadcast_to(to_tensor(initial, x.dtype), reduced_shape(x.shape, axes, keepdims))
    if x.dtype == "bool":
        y = (reduce_any if is_max else reduce_all)(x, axis=axes, keepdims=keepdims)
    else:
        y = function(x, axis=axes, keepdims=keepdims)
    if initial is None:
        return y
    return (maximum if is_max else minimum)(y, to_tensor(initial, x.dtype))


def any_empty(x: Typed, axes: Axes) -> bool:
    """Whether one of the axes has size 0."""
    return 0 in [x.shape[i] for i in axes]


@op
def max(
    x: TensorLike, axis: Axis = None, keepdims: bool = False, initial: TensorLike | None = None
) -> Tensor:
    """Largest element over axes; NaN is kept, equal ones share the gradient.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.
        initial: the result is not below it; what an empty array gives.

    Returns:
        Tensor.

    Raises:
        ValueError: an empty axis without `initial`.
    """
    return _extreme(reduce_max, x, axis, keepdims, initial, "max")


@op
def min(
    x: TensorLike, axis: Axis = None, keepdims: bool = False, initial: TensorLike | None = None
) -> Tensor:
    """Smallest element over axes; NaN is kept, equal ones share the gradient.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.
        initial: the result is not above it; what an empty array gives.

    Returns:
        Tensor.

    Raises:
        ValueError: an empty axis without `initial`.
    """
    return _extreme(reduce_min, x, axis, keepdims, initial, "min")


@op
def amax(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element over axes, as `max`."""
    return _extreme(reduce_max, x, axis, keepdims, None, "amax")


@op
def amin(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element over axes, as `min`."""
    return _extreme(reduce_min, x, axis, keepdims, None, "amin")


@op
def any(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any element is true (not 0).

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        bool tensor.
    """
    x = cast(x, "bool")
    return reduce_any(x, axis=_axes(x, axis, "any"), keepdims=keepdims)


@op
def all(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true (not 0).

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        bool tensor.
    """
    x = cast(x, "bool")
    return reduce_all(x, axis=_axes(x, axis, "all"), keepdims=keepdims)


@op
def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """`log(sum(exp(x)))` over axes, stable.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        Tensor, floating.
    """
    x = to_floating(x)
    axes = _axes(x, axis, "logsumexp")
    if any_empty(x, axes):
        return log(reduce_sum(x, axis=axes, keepdims=keepdims))
    largest = reduce_max(x, axis=axes, keepdims=True)
    # The shift cancels, so it needs no gradient; an infinite one would give inf - inf.
    shift = stop_gradient(where_(isfinite(largest), largest, 0.0))
    y = log(reduce_sum(exp(x - shift), axis=axes, keepdims=True)) + shift
    return y if keepdims else reshape(y, reduced_shape(x.shape, axes, False))
