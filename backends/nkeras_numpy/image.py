"""Resampling of images and sampling them at coordinates."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from nkeras.backend.resampling import rows
from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.reduction import reduce_sum
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import Ints

FAR = 2**30  # coordinates that are farther away count as this one


@KERNELS.register
@in_float32
def resample(
    x: Array,
    *,
    axis: int,
    size: int,
    method: str,
    antialias: bool,
    scale: float,
    translation: float,
    transposed: bool,
) -> Array:
    """Each cell along an axis from a row of a table: see `nkeras.backend.resampling`."""
    xp = namespace(x)
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    y = xp.zeros(shape, x.dtype)
    if 0 in shape or 0 in x.shape:
        return y
    table = rows(x.shape[axis], size, method, antialias, scale, translation, transposed)
    for cells, weights in zip(table.cells.T, table.weights.T, strict=True):
        weights = xp.asarray(weights, x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))
        product = weights * xp.take(x, xp.asarray(cells), axis)
        y += xp.where(weights == 0, xp.zeros((), x.dtype), product)
    return y


@KERNELS.register
@in_float32
def resize_images(x: Array, *, height: int, width: int, method: str, antialias: bool) -> Array:
    """Images of another size; the height comes first if it shrinks. Bytes are rounded."""
    xp = namespace(x)
    if 0 in x.shape:
        return xp.zeros((x.shape[0], height, width, x.shape[3]), x.dtype)
    y = x.astype(np.float32) if x.dtype == np.uint8 else x
    sizes = {1: height, 2: width} if height <= x.shape[1] else {2: width, 1: height}
    for axis, size in sizes.items():
        static = {"axis": axis, "size": size, "method": method, "antialias": antialias}
        scale = size / x.shape[axis]
        y = resample(y, **static, scale=scale, translation=0.0, transposed=False)
    return y if x.dtype != np.uint8 else xp.clip(xp.rint(y), 0, 255).astype(x.dtype)


@KERNELS.register
def flip_images(x: Array, flips: Array, *, axes: Ints, dtype: str) -> Array:
    """Those images where ``flips`` is true flipped along axes, in another dtype."""
    xp = namespace(x)
    which = flips.reshape(-1, *(1,) * (x.ndim - 1))
    return xp.where(which, xp.flip(x, axes), x).astype(dtype)


@KERNELS.register
@in_float32
def warp(x: Array, matrix: Array, *, order: int, mode: str, fill_value: float) -> Array:
    """Values of images where matrices say: at ``(a0 x + a1 y + a2, b0 x + b1 y + b2) / k``."""
    xp = namespace(x)
    batch, height, width, _ = x.shape
    columns, rows = xp.arange(width, dtype=x.dtype), xp.arange(height, dtype=x.dtype)[:, None]
    a0, a1, a2, b0, b1, b2, c0, c1 = matrix.T[:, :, None, None]
    k = c0 * columns + c1 * rows + 1
    places = (b0 * columns + b1 * rows + b2) / k, (a0 * columns + a1 * rows + a2) / k
    coordinates = xp.broadcast_to(xp.stack(places, 1), (batch, 2, height, width))
    return sample(x, coordinates, order=order, mode=mode, fill_value=fill_value)


@KERNELS.register
@in_float32
def sample(x: Array, coordinates: Array, *, order: int, mode: str, fill_value: float) -> Array:
    """Values of images between their cells: sums over the corners around each point."""
    xp = namespace(x)
    y = xp.zeros((x.shape[0], *coordinates.shape[2:], x.shape[-1]), x.dtype)
    if y.size == 0:
        return y
    fill = xp.asarray(fill_value, x.dtype)
    if 0 in x.shape:
        return y + fill
    for cells, weights, is_inside in _corners(xp, x.shape, coordinates, order, mode):
        values = xp.where(is_inside[..., None], x[cells], fill)
        y += weights.astype(x.dtype)[..., None] * values
    return y


@KERNELS.register
@in_float32
def sample_grad(grad_y: Array, coordinates: Array, *, shape: Ints, order: int, mode: str) -> Array:
    """Each element of ``grad_y`` shared out among the cells that it came from."""
    xp = namespace(grad_y)
    grad_x = xp.zeros(shape, grad_y.dtype)
    if grad_y.size and grad_x.size:
        for cells, share in shares(grad_y, coordinates, shape, order, mode):
            xp.add.at(grad_x, cells, share)
    return grad_x


def shares(
    grad_y: Array, coordinates: Array, shape: Ints, order: int, mode: str
) -> Iterator[tuple[tuple[Array, ...], Array]]:
    """For each corner around the points: cells, and what of ``grad_y`` belongs to them."""
    xp = namespace(grad_y)
    for cells, weights, is_inside in _corners(xp, shape, coordinates, order, mode):
        share = weights.astype(grad_y.dtype)[..., None] * grad_y
        yield cells, xp.where(is_inside[..., None], share, xp.zeros((), grad_y.dtype))


def _corners(
    xp: Any, shape: Ints, coordinates: Array, order: int, mode: str
) -> Iterator[tuple[tuple[Array, ...], Array, Array]]:
    """For each corner around the points: cells, weights, and which cells there are."""
    batch, *sizes, _ = shape
    points = coordinates.shape[2:]
    numbers = xp.arange(batch).reshape(-1, *(1,) * len(points))
    lower = _rounded(xp, coordinates) if order == 0 else xp.floor(coordinates)
    upper_weights = xp.zeros_like(coordinates) if order == 0 else coordinates - lower
    lower = xp.where(xp.abs(lower) < FAR, lower, FAR).astype(np.int64)
    for corner in itertools.product(range(1 + order), repeat=len(sizes)):
        cells: list[Array] = [numbers]
        weights = xp.ones((batch, *points), coordinates.dtype)
        is_inside = xp.ones((batch, *points), np.bool_)
        for axis, (step, size) in enumerate(zip(corner, sizes, strict=True)):
            fraction = upper_weights[:, axis]
            weights = weights * (fraction if step else 1 - fraction)
            place = lower[:, axis] + step
            if mode == "constant":
                is_inside = is_inside & (place >= 0) & (place < size)
            cells.append(_placed(xp, place, size, mode))
        yield tuple(cells), weights, is_inside


def _rounded(xp: Any, x: Array) -> Array:
    """The nearest whole numbers, halves away from zero."""
    whole = xp.trunc(x)
    return whole + xp.trunc(2 * (x - whole))


def _placed(xp: Any, place: Array, size: int, mode: str) -> Array:
    """The cell that stands for one beyond the edges."""
    if mode == "wrap":
        return place % size
    if mode == "reflect":
        place = place % (2 * size)
        return xp.where(place < size, place, 2 * size - 1 - place)
    if mode == "mirror" and size > 1:
        place = place % (2 * size - 2)
        return xp.where(place < size, place, 2 * size - 2 - place)
    return xp.clip(place, 0, size - 1)


@KERNELS.register
def weighted_channels(x: Array, *, weights: tuple[float, ...]) -> Array:
    """Sums over channels of ``(outer, channels, inner)``, each times its weight."""
    wide = x.astype(np.float64 if x.dtype == np.float64 else np.float32)
    factors = namespace(x).asarray(weights, wide.dtype).reshape(-1, 1)
    return reduce_sum(wide * factors, axis=(1,), keepdims=False).astype(x.dtype)
