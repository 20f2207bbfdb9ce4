"""Tensors made from numbers: ranges, grids, identities, triangles, window functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import refuse
from nkeras.core.primitive import op, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor, as_tensor
from nkeras.core.typing import DTypeLike, ShapeLike, TensorLike
from nkeras.core.variable import Variable
from nkeras.ops.core import convert_to_tensor, ones, zeros
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
from nkeras.ops.indexing import take
from nkeras.ops.padding import pad
from nkeras.ops.reduction import sum
from nkeras.ops.shape import broadcast_to, cast, expand_dims, reshape, transpose


def array(x: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """A tensor from an array, number or list, as `convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


def empty(shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
    """A tensor of any values: zeros, in nkeras."""
    return zeros(shape, dtype)


@op
def empty_like(x: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """A tensor of any values in the shape (and dtype) of `x`: zeros, in nkeras."""
    x = to_tensor(x)
    return zeros(x.shape, dtype or x.dtype)


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
    numbers = np.arange(_number(first), _number(last), 1 if step is None else _number(step))
    return as_tensor(numbers.astype(dtypes.to_numpy(name)), name)


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
        values, step = np.linspace(start, stop, num, endpoint=endpoint, retstep=True)
        normalize_axis(axis, 1, "linspace")
        points = to_tensor(values, name)
        points = points if dtype is None else cast(points, dtype)
        return (points, to_tensor(step, name)) if retstep else points
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
    name = dtypes.standardize(dtype)
    return as_tensor(np.eye(int(N), None if M is None else int(M), int(k)), name)


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
    return where_(
        to_tensor(np.tri(x.shape[-2], x.shape[-1], k, dtype=bool)), x, to_tensor(0, x.dtype)
    )


@op
def triu(x: TensorLike, k: int = 0) -> Tensor:
    """`x` with zeros below diagonal `k` of the last two axes."""
    x = to_tensor(x)
    return where_(
        to_tensor(~np.tri(x.shape[-2], x.shape[-1], k - 1, dtype=bool)), x, to_tensor(0, x.dtype)
    )


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
    return take(flat, (low * columns + high) + np.arange(count) * (columns + 1), -1)


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
    size = x.shape[0]
    square = where_(to_tensor(np.eye(size, dtype=bool)), x, to_tensor(0, x.dtype))
    low, high = max(-k, 0), max(k, 0)
    return pad(square, ((low, high), (high, low)))


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
