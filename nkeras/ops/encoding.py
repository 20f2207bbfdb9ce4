"""Labels as vectors, sums over segments, products of updates at equal places."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nkeras.core import dtypes, graph
from nkeras.core.errors import refuse, short
from nkeras.core.primitive import op, to_tensor
from nkeras.core.spec import has_unknown, normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, ShapeLike, TensorLike
from nkeras.ops.core import full, zeros
from nkeras.ops.elementwise import equal
from nkeras.ops.indexing import (
    checked_coordinates,
    scatter_nd,
    scatter_reduce,
    scatter_update_,
    take,
)
from nkeras.ops.reduction import any
from nkeras.ops.shape import cast, expand_dims


@op
def one_hot(
    x: TensorLike, num_classes: int, axis: int = -1, dtype: DTypeLike = None, sparse: bool = False
) -> Tensor:
    """A vector for each label, 1 at the label and 0 elsewhere.

    Args:
        x: tensor of int; a label outside `[0, num_classes)` gives zeros.
        num_classes: length of the vectors.
        axis: where they stand in the result.
        dtype: dtype name; `floatx` by default.
        sparse: must be False: nkeras has no sparse tensors.

    Returns:
        Tensor with one more axis.

    Raises:
        ValueError: `num_classes` is negative, or `sparse` is True.

    Example:
        >>> import nkeras
        >>> nkeras.ops.one_hot([1, 0], 3).numpy()
        array([[0., 1., 0.],
               [1., 0., 0.]], dtype=float32)
    """
    if sparse:
        raise ValueError("one_hot: argument `sparse` must be False in nkeras.")
    if not hasattr(num_classes, "__index__") or num_classes < 0:
        refuse("num_classes", num_classes, "an int, at least 0", "one_hot")
    labels = cast(x, "int32")
    place = normalize_axis(axis, len(labels.shape) + 1, "one_hot")
    shape = [num_classes if i == place else 1 for i in range(len(labels.shape) + 1)]
    classes = to_tensor(np.arange(num_classes, dtype="int32").reshape(shape))
    return cast(equal(expand_dims(labels, place), classes), dtypes.standardize(dtype))


@op
def multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DTypeLike = None,
    sparse: bool = False,
    **kwargs: int,
) -> Tensor:
    """One vector for the labels of each row, 1 at each of the labels.

    Args:
        inputs: tensor of int `(labels,)` or `(rows, labels, ...)`.
        num_classes: length of the vectors.
        axis: where they stand in the result.
        dtype: dtype name; `floatx` by default.
        sparse: must be False: nkeras has no sparse tensors.
        kwargs: `num_tokens`, the old name of `num_classes`.

    Returns:
        Tensor `(num_classes,)` or `(rows, num_classes, ...)`.

    Raises:
        ValueError: `num_classes` is missing, or an argument is unknown.
    """
    num_classes = kwargs.pop("num_tokens", num_classes)
    if num_classes is None or kwargs:
        raise ValueError(
            f"multi_hot: argument `num_classes` is needed, and {short(sorted(kwargs))} are unknown."
        )
    x = to_tensor(inputs)
    vectors = one_hot(x, num_classes, axis, "bool", sparse)
    return cast(any(vectors, 1 if len(x.shape) > 1 else 0), dtypes.standardize(dtype))


def _segments(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None, owner: str
) -> tuple[Tensor, np.ndarray, int]:
    """Rows of `data` whose segment exists, their segments, and the number of segments."""
    data, ids = to_tensor(data), to_tensor(segment_ids)
    rows = data.shape[:1]
    if len(ids.shape) != 1 or (ids.shape != rows and not has_unknown(ids.shape, rows)):
        raise ValueError(
            f"{owner}: `segment_ids` must have one element for each row of `data`. Received shapes "
            f"{ids.shape} and {data.shape}"
        )
    if isinstance(ids, graph.KerasTensor):
        if num_segments is None:
            refuse("num_segments", None, "an int where `segment_ids` is symbolic", owner)
        return data, np.zeros(0, "int64"), num_segments
    numbers = ids.numpy().astype("int64")
    count = int(numbers.max(initial=-1)) + 1 if num_segments is None else int(num_segments)
    inside = np.flatnonzero((numbers >= 0) & (numbers < count))
    if len(inside) < len(numbers):
        data, numbers = take(data, inside, 0), numbers[inside]
    return data, numbers, count


@op
def segment_sum(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    """Sums of the rows with equal segment number.

    Args:
        data: tensor `(rows, ...)`.
        segment_ids: tensor of int `(rows,)`; rows whose number is out of range are left out.
        num_segments: how many segments there are; the largest number plus 1 by default.
        sorted: accepted for Keras' sake: whether `segment_ids` ascend.

    Returns:
        Tensor `(num_segments, ...)`; an empty segment has the sum 0.
    """
    data, numbers, count = _segments(data, segment_ids, num_segments, "segment_sum")
    shape = (count, *data.shape[1:])
    if _symbolic(data):
        return _like(data, shape)
    if not len(numbers):
        return zeros(shape, data.dtype)
    return scatter_nd(to_tensor(numbers[:, None], "int32"), data, shape=shape)


def _symbolic(x: Tensor) -> bool:
    return isinstance(x, graph.KerasTensor)


def _like(x: Tensor, shape: ShapeLike) -> Tensor:
    return graph.symbolic(shape, x.dtype)


def _segment_reduce(
    reduction: str,
    empty: Callable[[str], float],
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None,
    owner: str,
) -> Tensor:
    data, numbers, count = _segments(data, segment_ids, num_segments, owner)
    shape = (count, *data.shape[1:])
    if _symbolic(data):
        return _like(data, shape)
    start = full(shape, empty(data.dtype), data.dtype)
    places = to_tensor(numbers[:, None], "int32")
    return scatter_reduce(start, places, data, reduction=reduction)


def _lowest(dtype: str) -> float:
    return -math.inf if dtypes.is_floating(dtype) else int(np.iinfo(dtypes.to_numpy(dtype)).min)


def _highest(dtype: str) -> float:
    return math.inf if dtypes.is_floating(dtype) else int(np.iinfo(dtypes.to_numpy(dtype)).max)


@op
def segment_max(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    """Largest of the rows with equal segment number; an empty segment has the least value.

    The arguments are those of `segment_sum`.
    """
    return _segment_reduce("max", _lowest, data, segment_ids, num_segments, "segment_max")


@op
def segment_min(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    """Smallest of the rows with equal segment number; an empty segment has the greatest value.

    The arguments are those of `segment_sum`.
    """
    return _segment_reduce("min", _highest, data, segment_ids, num_segments, "segment_min")


@op
def segment_prod(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    """Product of the rows with equal segment number; an empty segment has the product 1.

    The arguments are those of `segment_sum`.
    """
    return _segment_reduce("mul", lambda _: 1, data, segment_ids, num_segments, "segment_prod")


@op
def scatter_update(
    inputs: TensorLike, indices: TensorLike, updates: TensorLike, reduction: str | None = None
) -> Tensor:
    """A copy of `inputs` with `updates` written at coordinates.

    Args:
        inputs: tensor.
        indices: tensor of int `(rows, depth)`.
        updates: tensor `(rows, *inputs.shape[depth:])`.
        reduction: None (the last write wins), `"add"`, `"max"`, `"min"` or `"mul"`.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        ValueError: a coordinate is out of range, the shapes do not fit, or another reduction.
    """
    x = to_tensor(inputs)
    indices = checked_coordinates(indices, x.shape, "scatter_update")
    updates = cast(updates, x.dtype)
    if reduction is None:
        return scatter_update_(x, indices, updates)
    if reduction == "add":
        return x + scatter_nd(indices, updates, shape=x.shape)
    if reduction not in ("max", "min", "mul"):
        refuse("reduction", reduction, 'None, "add", "max", "min" or "mul"', "scatter_update")
    return scatter_reduce(x, indices, updates, reduction=reduction)
