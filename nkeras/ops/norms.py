"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nkeras.core import missing
from nkeras.core.errors import short
from nkeras.core.primitive import op, to_floating
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.arranging import moveaxis
from nkeras.ops.complexes import square_of_size
from nkeras.ops.decompositions import svd_
from nkeras.ops.elementwise import absolute, not_equal, power, sqrt
from nkeras.ops.reduction import max, min, sum
from nkeras.ops.shape import cast, expand_dims

_OF_MATRICES = ("fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2)


@op
def norm(
    x: TensorLike,
    ord: float | str | None = None,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
) -> Tensor:
    """The norm of vectors or matrices.

    Args:
        x: tensor.
        ord: of vectors a number p, for `sum(abs(x)**p)**(1/p)`; infinity for the largest absolute
            value, minus infinity for the smallest, 0 for how many are not 0. Of matrices `"fro"`,
            the root of the sum of squares; `"nuc"`, the sum of singular values; infinity and minus
            infinity, the largest and smallest sum of absolute values of a row, 1 and -1 of a
            column; 2 and -2, the largest and smallest singular value. By default the root of the
            sum of squares.
        axis: int for vectors along an axis, two for matrices; by default all axes, of a tensor of
            rank 1 or 2 where `ord` is given.
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        Tensor of a floating dtype.

    Raises:
        ValueError: `ord` is none of these, or there are more than two axes for it.

    Example:
        >>> import nkeras
        >>> float(nkeras.ops.norm([3.0, 4.0]))
        5.0

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    rank = len(x.shape)
    if axis is None:
        axes = tuple(range(rank))
        if ord is None:
            return _root_of_squares(x, axes, keepdims)
    else:
        given = axis if isinstance(axis, Sequence) else (axis,)
        axes = tuple(normalize_axis(one, rank, "norm") for one in given)
    if len(axes) == 1 and not isinstance(ord, str):
        return _of_vectors(x, ord, axes[0], keepdims)
    if len(axes) == 2 and axes[0] != axes[1] and (ord is None or ord in _OF_MATRICES):
        return _of_matrices(x, ord, axes, keepdims)
    raise ValueError(
        "norm: argument `ord` of vectors (one axis) is a number, of matrices (two axes) one of "
        f"'fro', 'nuc', inf, -inf, 1, -1, 2, -2. Received: ord={short(ord)}, axis={short(axis)}, "
        f"shape {x.shape}"
    )


def _root_of_squares(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    return sqrt(sum(square_of_size(x), axis=axes, keepdims=keepdims))


def _of_vectors(x: Tensor, ord: float | None, axis: int, keepdims: bool) -> Tensor:
    if ord is None or ord == 2:
        return _root_of_squares(x, (axis,), keepdims)
    sizes = absolute(x)
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(sizes, axis=axis, keepdims=keepdims)
    if ord == 0:
        return sum(cast(not_equal(x, 0), sizes.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum(sizes, axis=axis, keepdims=keepdims)
    return power(sum(power(sizes, ord), axis=axis, keepdims=keepdims), 1.0 / ord)


def _of_matrices(
    x: Tensor, ord: float | str | None, axes: tuple[int, ...], keepdims: bool
) -> Tensor:
    if ord is None or ord == "fro":
        return _root_of_squares(x, axes, keepdims)
    rows, columns = axes
    if ord in (1, -1, math.inf, -math.inf):
        assert not isinstance(ord, str)
        summed, searched = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = sum(absolute(x), axis=summed, keepdims=True)
        found = (max if ord > 0 else min)(sums, axis=searched, keepdims=True)
        return found if keepdims else sum(found, axis=axes)
    _, values, _ = svd_(moveaxis(x, axes, (-2, -1)), full_matrices=False)
    if ord == "nuc":
        found = sum(values, axis=-1)
    else:
        found = values[..., 0 if ord == 2 else -1]
    return expand_dims(found, tuple(sorted(axes))) if keepdims else found


missing.explain(__name__)
