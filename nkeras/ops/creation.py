"""Tensors made from numbers: ranges, grids, identities, triangles, window functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.core import dtypes, graph
from nkeras.core.errors import refuse
from nkeras.core.primitive import op, to_tensor
from nkeras.core.spec import Unknown, has_unknown, normalize_axis
from nkeras.core.tensor import Tensor, as_tensor
from nkeras.core.typing import DTypeLike, ShapeLike, TensorLike
from nkeras.core.variable import Variable
from nkeras.ops.core import convert_to_tensor, ones, sizes_of
from nkeras.ops.elementwise import (
    absolute,
    cos,
    divide,
    exp,
    i0,
    log,
    maximum,
    power,
    sqrt,
    subtract,
    where_,
)
from nkeras.ops.reduction import sum
from nkeras.ops.shape import (
    broadcast_to,
    cast,
    expand_dims,
    reshape,
    slice_,
    slice_grad,
    transpose,
)

_PIECE = 16_384


def array(x: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """A tensor from an array, number or list, as `convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


def empty(shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
    """A tensor of any values: what its memory held before, which may be NaN.

    Args:
        shape: tuple of int.
        dtype: dtype name; `floatx` by default.

    Returns:
        Tensor of `shape`.
    """
    backend = registry.active()
    return Tensor(backend.empty(sizes_of(shape), dtypes.standardize(dtype)), backend)


@op
def empty_like(x: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """A tensor of any values in the shape (and dtype) of `x`, as `empty`."""
    x = to_tensor(x)
    return empty(x.shape, dtype or x.dtype)


def arange(
    start: TensorLike,
    stop: TensorLike | None = None,
    step: TensorLike | None = None,
    dtype: DTypeLike = None,
) -> Tensor:
    """Evenly spaced numbers in `[start, stop)`.

    Args:
        start: first number, or the end if `stop` is None.
        stop: end, not included.
        step: distance, 1 by default.
        dtype: dtype name; `int32` for ints, `floatx` for floats by default.

    Returns:
        Tensor `(count,)`.

    Example:
        >>> import nkeras
        >>> nkeras.ops.arange(1, 7, 2).numpy()
        array([1, 3, 5], dtype=int32)
    """
    values = [number for number in (start, stop, step) if number is not None]
    name = dtypes.result_type(*values) if dtype is None else dtypes.standardize(dtype)
    first, last = (0, start) if stop is None else (start, stop)
    bounds = _number(first), _number(last), 1 if step is None else _number(step)
    if has_unknown(bounds):  # nor are the numbers known, which an index is checked by
        count = len(np.arange(*bounds))
        return graph.symbolic((Unknown(count),), name)
    kind = dtypes.to_numpy(name)
    if kind.kind == "i" and all([isinstance(bound, int) for bound in bounds]):
        return as_tensor(np.arange(*bounds, dtype=kind), name)
    return as_tensor(np.arange(*bounds).astype(kind), name)


def _number(value: TensorLike) -> Any:
    return value.numpy().item() if isinstance(value, (Tensor, Variable)) else value


@op
def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> Any:
    """Evenly spaced numbers from `start` to `stop`.

    Args:
        start: number or tensor.
        stop: number or tensor that broadcasts with `start`.
        num: how many.
        endpoint: whether `stop` is the last one.
        retstep: also return the distance.
        dtype: dtype of the result; floating by default.
        axis: where the new axis stands.

    Returns:
        Tensor with an axis of size `num`, or `(tensor, distance)`.

    Raises:
        ValueError: `num` is negative.
    """
    if num < 0:
        refuse("num", num, "a non-negative int", "linspace")
    name = dtypes.result_type(_typed(start), _typed(stop), float)
    if isinstance(start, (int, float)) and isinstance(stop, (int, float)):
        normalize_axis(axis, 1, "linspace")
        parts = num - 1 if endpoint else num
        points = to_tensor(_spaced(start, stop, num, endpoint, name))
        points = points if dtype is None else cast(points, dtype)
        distance = (stop - start) / parts if parts > 0 else math.nan
        return (points, to_tensor(distance, name)) if retstep else points
    start, stop = cast(start, name), cast(stop, name)
    parts = num - 1 if endpoint else num
    step = divide(stop - start, parts) if parts else (stop - start) * math.nan
    fractions = np.arange(num) / max(parts, 1)
    rank = len(step.shape)
    fractions = to_tensor(fractions.reshape((num,) + (1,) * rank), name)
    # A mean of both ends, so that both are met exactly.
    points = start * (1.0 - fractions) + stop * fractions
    target = normalize_axis(axis, rank + 1, "linspace")
    order = list(range(1, rank + 1))
    order.insert(target, 0)
    points = transpose(points, order)
    points = points if dtype is None else cast(points, dtype)
    return (points, step) if retstep else points


def _spaced(start: float, stop: float, num: int, endpoint: bool, name: str) -> np.ndarray:
    """`numpy.linspace`, computed in float64 piece by piece, which stays in the cache."""
    if num <= _PIECE or name == "float64":
        return np.linspace(start, stop, num, endpoint).astype(dtypes.to_numpy(name))
    points = np.empty(num, dtypes.to_numpy(name))
    distance = (stop - start) / max(num - 1 if endpoint else num, 1)
    steps, piece = np.arange(_PIECE) * distance, np.empty(_PIECE)
    for first in range(0, num, _PIECE):
        np.add(steps, start + first * distance, out=piece)
        points[first : first + _PIECE] = piece[: num - first]
    if endpoint:
        points[-1] = stop
    return points


def _typed(value: TensorLike) -> float | Tensor:
    return value if isinstance(value, (int, float)) else to_tensor(value)


@op
def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    base: TensorLike = 10,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> Tensor:
    """Powers of `base` with evenly spaced exponents from `start` to `stop`.

    Args:
        start: first exponent, number or tensor.
        stop: last exponent.
        num: how many.
        endpoint: whether `stop` is the last exponent.
        base: number.
        dtype: dtype of the result; floating by default.
        axis: where the new axis stands.

    Returns:
        Tensor with an axis of size `num`.
    """
    points = power(base, linspace(start, stop, num, endpoint, False, None, axis))
    return points if dtype is None else cast(points, dtype)


@op
def geomspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> Tensor:
    """Numbers from `start` to `stop` with a constant ratio; both must have the same sign.

    Args:
        start: number or tensor.
        stop: number or tensor.
        num: how many.
        endpoint: whether `stop` is the last one.
        dtype: dtype of the result; floating by default.
        axis: where the new axis stands.

    Returns:
        Tensor with an axis of size `num`.
    """
    first, last = to_tensor(start), to_tensor(stop)
    sign = where_(first < 0, -1.0, 1.0)
    exponents = linspace(
        log(absolute(first)), log(absolute(last)), num, endpoint, False, None, axis
    )
    rank = len(exponents.shape)
    target = normalize_axis(axis, rank, "geomspace")
    sign = expand_dims(
        broadcast_to(sign, exponents.shape[:target] + exponents.shape[target + 1 :]), target
    )
    points = sign * exp(exponents)
    return points if dtype is None else cast(points, dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = None) -> Tensor:
    """Ones on a diagonal, zeros elsewhere.

    Args:
        N: rows.
        M: columns; `N` by default.
        k: which diagonal: 0 is the main one, positive ones stand above it.
        dtype: dtype name; `floatx` by default.

    Returns:
        Tensor `(N, M)`.

    Example:
        >>> import nkeras
        >>> nkeras.ops.eye(2).numpy()
        array([[1., 0.],
               [0., 1.]], dtype=float32)
    """
    rows, columns = int(N), int(N if M is None else M)
    low, high = max(-int(k), 0), max(int(k), 0)
    count = max(min(rows - low, columns - high), 0)
    return _with_diagonal(ones((count,), dtype), (rows, columns), low, high)


def _with_diagonal(values: Tensor, shape: tuple[int, int], row: int, column: int) -> Tensor:
    """Zeros with values on the diagonal that begins at a row and a column."""
    rows, columns = shape
    index = _diagonal(values.shape[0], columns, row, column)
    return reshape(slice_grad(values, shape=(rows * columns,), index=(index,)), shape)


def _diagonal(count: int, columns: int, row: int, column: int) -> tuple[int, int, int]:
    """Where the elements of a diagonal stand in the flattened matrix."""
    if not count:
        return (0, 0, 1)
    first = row * columns + column
    return (first, first + (count - 1) * (columns + 1) + 1, columns + 1)


def identity(n: int, dtype: DTypeLike = None) -> Tensor:
    """Ones on the main diagonal of a square of size `n`, zeros elsewhere."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = None) -> Tensor:
    """Ones at and below a diagonal, zeros above.

    Args:
        N: rows.
        M: columns; `N` by default.
        k: which diagonal.
        dtype: dtype name; `floatx` by default.

    Returns:
        Tensor `(N, M)`.
    """
    return as_tensor(
        np.tri(int(N), None if M is None else int(M), int(k)), dtypes.standardize(dtype)
    )


@op
def tril(x: TensorLike, k: int = 0) -> Tensor:
    """`x` with zeros above diagonal `k` of the last two axes."""
    x = to_tensor(x)
    return where_(_triangle(x.shape[-2], x.shape[-1], k), x, to_tensor(0, x.dtype))


@op
def triu(x: TensorLike, k: int = 0) -> Tensor:
    """`x` with zeros below diagonal `k` of the last two axes."""
    x = to_tensor(x)
    return where_(_triangle(x.shape[-2], x.shape[-1], k - 1), to_tensor(0, x.dtype), x)


def _triangle(rows: int, columns: int, k: int) -> Tensor:
    if graph.tracing() and rows * columns > graph.LARGE:
        return graph.symbolic((rows, columns), "bool")
    return to_tensor(np.tri(rows, columns, k, dtype=bool))


@op
def diagonal(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Elements of a diagonal of two axes.

    Args:
        x: tensor of rank 2 or more.
        offset: which diagonal: 0 is the main one, positive ones stand above it.
        axis1: the rows' axis.
        axis2: the columns' axis.

    Returns:
        Tensor: the other axes, then the diagonal.

    Raises:
        ValueError: the rank is below 2, or the axes are equal.
    """
    x = to_tensor(x)
    rank = len(x.shape)
    if rank < 2:
        raise ValueError(f"diagonal: `x` must have at least rank 2. Received shape {x.shape}")
    first, second = normalize_axis(axis1, rank, "diagonal"), normalize_axis(axis2, rank, "diagonal")
    if first == second:
        raise ValueError(f"diagonal: `axis1` and `axis2` must differ. Received: {axis1}, {axis2}")
    kept = [i for i in range(rank) if i not in (first, second)]
    rows, columns = x.shape[first], x.shape[second]
    low, high = max(-offset, 0), max(offset, 0)
    count = max(min(rows - low, columns - high), 0)
    flat = reshape(
        transpose(x, (*kept, first, second)), (*(x.shape[i] for i in kept), rows * columns)
    )
    whole = [(0, size, 1) for size in flat.shape[:-1]]
    return slice_(flat, index=(*whole, _diagonal(count, columns, low, high)))


@op
def trace(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Sum over a diagonal of two axes; the arguments are those of `diagonal`."""
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)


@op
def diag(x: TensorLike, k: int = 0) -> Tensor:
    """The diagonal `k` of a matrix, or a matrix with a vector on its diagonal `k`.

    Args:
        x: tensor of rank 1 or 2.
        k: which diagonal: 0 is the main one, positive ones stand above it.

    Returns:
        Tensor of rank 2 or 1.

    Raises:
        ValueError: another rank.
    """
    x = to_tensor(x)
    if len(x.shape) == 2:
        return diagonal(x, k)
    if len(x.shape) != 1:
        raise ValueError(f"diag: `x` must have rank 1 or 2. Received shape {x.shape}")
    size = x.shape[0] + abs(k)
    return _with_diagonal(x, (size, size), max(-k, 0), max(k, 0))


@op
def diagflat(x: TensorLike, k: int = 0) -> Tensor:
    """A matrix with the flattened `x` on its diagonal `k`."""
    return diag(reshape(x, -1), k)


@op
def meshgrid(*x: TensorLike, indexing: str = "xy") -> list[Tensor]:
    """Coordinates of a grid, from one vector for each axis.

    Args:
        x: vectors or scalars.
        indexing: `"xy"` (the first two axes exchanged) or `"ij"`.

    Returns:
        One tensor for each vector, of the grid's shape.

    Raises:
        ValueError: unknown `indexing`.
    """
    if indexing not in ("xy", "ij"):
        refuse("indexing", indexing, '"xy" or "ij"', "meshgrid")
    vectors = [reshape(tensor, -1) for tensor in x]
    places = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        places[:2] = 1, 0
    shape = [0] * len(vectors)
    for vector, place in zip(vectors, places, strict=True):
        shape[place] = vector.shape[0]
    return [
        broadcast_to(reshape(v, [-1 if i == place else 1 for i in range(len(shape))]), shape)
        for v, place in zip(vectors, places, strict=True)
    ]


@op
def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of the elements of a vector as columns.

    Args:
        x: tensor `(size,)`.
        N: number of columns; `size` by default.
        increasing: begin with the power 0 instead of ending with it.

    Returns:
        Tensor `(size, N)`.
    """
    x = to_tensor(x)
    count = x.shape[0] if N is None else N
    exponents = np.arange(count) if increasing else np.arange(count)[::-1]
    return power(expand_dims(x, 1), to_tensor(exponents.copy(), x.dtype))


def _cosines(x: TensorLike, *coefficients: float) -> Tensor:
    """The sum of `c_j * cos(2 pi j n / (size - 1))`: a window of int(x) elements."""
    size = int(_number(x))
    if size <= 1:
        return ones((max(size, 0),))
    angles = np.arange(size) * (2.0 * math.pi / (size - 1))
    dtype = dtypes.standardize(None)
    total: Tensor | float = coefficients[0]
    for j, coefficient in enumerate(coefficients[1:], 1):
        total = total + coefficient * cos(to_tensor(j * angles, dtype))
    return to_tensor(total, dtype)


def hanning(x: TensorLike) -> Tensor:
    """Hann's window of `x` elements."""
    return _cosines(x, 0.5, -0.5)


def hamming(x: TensorLike) -> Tensor:
    """Hamming's window of `x` elements."""
    return _cosines(x, 0.54, -0.46)


def blackman(x: TensorLike) -> Tensor:
    """Blackman's window of `x` elements."""
    return _cosines(x, 0.42, -0.5, 0.08)


def bartlett(x: TensorLike) -> Tensor:
    """The triangular window of `x` elements."""
    size = int(_number(x))
    if size <= 1:
        return ones((max(size, 0),))
    return 1.0 - absolute(subtract(linspace(0.0, 2.0, size), 1.0))


def kaiser(x: TensorLike, beta: TensorLike) -> Tensor:
    """Kaiser's window of `x` elements, with shape parameter `beta`."""
    size = int(_number(x))
    if size <= 1:
        return ones((max(size, 0),))
    beta = float(_number(beta))
    inside = 1.0 - power(subtract(linspace(0.0, 2.0, size), 1.0), 2.0)
    return i0(beta * sqrt(maximum(inside, 0.0))) / i0(beta)
