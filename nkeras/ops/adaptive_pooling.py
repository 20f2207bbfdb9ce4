"""Pooling to a given size: windows follow from the sizes of the input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from nkeras.core.errors import short
from nkeras.core.primitive import op, to_floating, to_tensor
from nkeras.core.spec import Shape
from nkeras.core.tensor import Tensor, from_numpy
from nkeras.core.typing import TensorLike
from nkeras.ops.convolution import is_channels_first, to_channels_first, to_channels_last, windows
from nkeras.ops.indexing import take
from nkeras.ops.matrix_product import matmul
from nkeras.ops.pooling import average_pool, max_pool
from nkeras.ops.reduction import reduce_max
from nkeras.ops.shape import reshape


@lru_cache(maxsize=256)
def _cells(size: int, count: int) -> np.ndarray:
    """The cells of each of `count` windows; in the shorter ones the last cell stands again."""
    numbers = np.arange(count)
    first, last = numbers * size // count, -(-(numbers + 1) * size // count) - 1
    steps = np.arange((last - first).max() + 1)
    return np.minimum(first[:, None] + steps, last[:, None]).astype("int32")


@lru_cache(maxsize=256)
def _shares(size: int, count: int) -> np.ndarray:
    """The matrix `(count, size)` that takes means of windows."""
    is_in = np.zeros((count, size))
    np.put_along_axis(is_in, _cells(size, count), 1.0, axis=1)
    return is_in / is_in.sum(1, keepdims=True)


def _along(x: Tensor, axis: int, count: int) -> tuple[Tensor, Shape]:
    """The tensor as `(before, size, behind)`, and the shape it gets with `count` cells."""
    parts = np.prod(x.shape[:axis], dtype=int), np.prod(x.shape[axis + 1 :], dtype=int)
    flat = reshape(x, (int(parts[0]), x.shape[axis], int(parts[1])))
    return flat, (*x.shape[:axis], count, *x.shape[axis + 1 :])


def _mean_along(x: Tensor, axis: int, count: int) -> Tensor:
    flat, shape = _along(x, axis, count)
    return reshape(matmul(from_numpy(_shares(x.shape[axis], count), x.dtype), flat), shape)


def _max_along(x: Tensor, axis: int, count: int) -> Tensor:
    flat, shape = _along(x, axis, count)
    cells = _cells(x.shape[axis], count)
    met = reshape(take(flat, cells.reshape(-1), axis=1), (-1, *cells.shape, flat.shape[-1]))
    return reshape(reduce_max(met, axis=(2,), keepdims=False), shape)


def _prepared(
    x: Tensor, output_size: int | Sequence[int], data_format: str | None, owner: str
) -> tuple[Tensor, Shape, bool]:
    """With channels last, one size for each dimension, and whether channels came first."""
    rank = len(x.shape) - 2
    if not 1 <= rank <= 3:
        raise ValueError(f"{owner}: the input must have rank 3, 4 or 5. Received shape {x.shape}")
    if 0 in x.shape[1:]:
        raise ValueError(f"{owner}: the input is empty. Received shape {short(x.shape)}")
    first = is_channels_first(data_format, owner)
    return to_channels_last(x) if first else x, windows(output_size, rank, "output_size"), first


def _whole_windows(x: Tensor, counts: Shape) -> Shape | None:
    """The size of windows where all are equal and lie side by side, else None."""
    sizes = x.shape[1:-1]
    if any(size % count for size, count in zip(sizes, counts, strict=True)):
        return None
    return tuple(size // count for size, count in zip(sizes, counts, strict=True))


@op
def adaptive_average_pool(
    inputs: TensorLike, output_size: int | Sequence[int], data_format: str | None = None
) -> Tensor:
    """Means of windows that cut each dimension into a given number of parts.

    Window i of `count` along a dimension goes from `floor(i * size / count)` to
    `ceil((i + 1) * size / count)`: windows may overlap by one cell.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        output_size: int or one int for each spatial dimension.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.

    Returns:
        Tensor `(batch, *output_size, channels)`, or channels first.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> nkeras.ops.adaptive_average_pool([[[1.0], [3.0], [5.0]]], 2).numpy().ravel()
        array([2., 4.], dtype=float32)

    Source: https://keras.io/api/ops/nn/
    """
    owner = "adaptive_average_pool"
    x, counts, first = _prepared(to_floating(inputs), output_size, data_format, owner)
    size = _whole_windows(x, counts)
    if size is not None:
        y = average_pool(x, size, data_format="channels_last")
    else:
        y = x
        for axis, count in enumerate(counts, start=1):
            y = y if y.shape[axis] == count else _mean_along(y, axis, count)
    return to_channels_first(y) if first else y


@op
def adaptive_max_pool(
    inputs: TensorLike, output_size: int | Sequence[int], data_format: str | None = None
) -> Tensor:
    """Largest elements of windows that cut each dimension into a given number of parts.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        output_size: int or one int for each spatial dimension.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.

    Returns:
        Tensor `(batch, *output_size, channels)`, or channels first; windows are those of
        `adaptive_average_pool`.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> nkeras.ops.adaptive_max_pool([[[1.0], [3.0], [2.0]]], 2).numpy().ravel()
        array([3., 3.], dtype=float32)

    Source: https://keras.io/api/ops/nn/
    """
    x, counts, first = _prepared(to_tensor(inputs), output_size, data_format, "adaptive_max_pool")
    size = _whole_windows(x, counts)
    if size is not None:
        y = max_pool(x, size, data_format="channels_last")
    else:
        y = x
        for axis, count in enumerate(counts, start=1):
            y = y if y.shape[axis] == count else _max_along(y, axis, count)
    return to_channels_first(y) if first else y
