"""Images whose pixels come from where matrices say: samples whose coordinates need no memory."""

from __future__ import annotations

import numpy as np

from nkeras.core.primitive import primitive, to_tensor
from nkeras.core.spec import Shape, Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.image.sampling import by_coordinates, sample, sample_grad
from nkeras.ops.matrix_product import matmul_
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import broadcast_to, concatenate, reshape, section, turned


@primitive()
def warp(x: Typed, matrix: Typed, *, order: int, mode: str, fill_value: float) -> Spec:
    """Images x `(batch, height, width, channels)`, floating, by matrices `(batch, 8)` or `(1, 8)`.

    Of `a0, a1, a2, b0, b1, b2, c0, c1`, the pixel `(x, y)` comes from `((a0 x + a1 y + a2) / k,
    (b0 x + b1 y + b2) / k)` with `k = c0 x + c1 y + 1`.
    """
    return Spec(x.shape, x.dtype)


@warp.decomposition
def _(x: Tensor, matrix: Tensor, order: int, mode: str, fill_value: float) -> Tensor:
    coordinates = _coordinates(matrix, x.shape)
    return sample(x, coordinates, order=order, mode=mode, fill_value=fill_value)


@warp.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, matrix: Tensor, order: int, mode: str) -> Tensor:
    coordinates = _coordinates(matrix, x_spec.shape)
    return sample_grad(grad_y, coordinates, shape=x_spec.shape, order=order, mode=mode)


@warp.vjp("matrix")
def _(
    grad_y: Tensor, x: Tensor, matrix: Tensor, order: int, mode: str, fill_value: float
) -> Tensor:
    """By the two lines of quotients, and by what both are divided by."""
    batch, height, width, _ = x.shape
    places = _coordinates(matrix, x.shape)
    slopes = by_coordinates(grad_y, x, places, order, mode, fill_value)
    flat = (batch, 2, height * width)
    parts = reshape(slopes, flat) / matmul_(_divisors(matrix), _grid(x.shape, x.dtype))
    of_divisor = reduce_sum(parts * reshape(places, flat), axis=(1,), keepdims=True) * -1.0
    rows = matmul_(concatenate([parts, of_divisor], 1), turned(_grid(x.shape, x.dtype)))
    by_y, by_x, by_k = (section(rows, 1, i, i + 1) for i in range(3))
    grad = concatenate([by_x, by_y, section(by_k, 2, 0, 2)], 2)
    grad = reshape(grad, (batch, 8))
    return reduce_sum(grad, axis=(0,), keepdims=True) if matrix.shape[0] < batch else grad


def _coordinates(matrix: Tensor, shape: Shape) -> Tensor:
    """Where the pixels of images come from, y and x: `(batch, 2, height, width)`."""
    batch, height, width, _ = shape
    a, b = section(matrix, 1, 0, 3), section(matrix, 1, 3, 6)
    lines = reshape(concatenate([b, a], 1), (-1, 2, 3))
    grid = _grid(shape, matrix.dtype)
    places = matmul_(lines, grid) / matmul_(_divisors(matrix), grid)
    places = reshape(places, (-1, 2, height, width))
    return broadcast_to(places, (batch, 2, height, width))


def _divisors(matrix: Tensor) -> Tensor:
    """What both coordinates are divided by: a quotient of arrays of one shape takes one pass."""
    ones = to_tensor(np.ones((matrix.shape[0], 1)), matrix.dtype)
    line = concatenate([section(matrix, 1, 6, 8), ones], 1)
    return reshape(concatenate([line, line], 1), (-1, 2, 3))


def _grid(shape: Shape, dtype: str) -> Tensor:
    """`(3, height * width)`: x, y and 1 of each pixel."""
    _, height, width, _ = shape
    grid = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))])
    return to_tensor(grid.reshape(3, -1), dtype)
