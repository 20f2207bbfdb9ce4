"""Max and average pooling of any rank, channels last, with their gradients."""

import math
from typing import Any

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace, stacked
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import (
    Ints,
    Pairs,
    crop_spatial,
    output_sizes,
    pad_spatial,
    padded_zeros,
    positions,
)


def _no_dilation(pool_size: Ints) -> Ints:
    return (1,) * len(pool_size)


def _lowest(dtype: Any) -> float:
    """The value that padding has in a maximum."""
    if dtype.kind == "f":
        return -np.inf
    return 0 if dtype.kind == "b" else int(np.iinfo(dtype).min)


def winner_dtype(pool_size: Ints) -> Any:
    """The smallest dtype of the contract that holds every index inside the window."""
    return np.dtype(np.uint8 if math.prod(pool_size) <= 256 else np.int32)


@KERNELS.register
@in_float32
def max_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Pairs) -> tuple[Array, Array]:
    """Maximum of each window, and the row-major index inside the window of the first maximum."""
    xp, dilation = namespace(x), _no_dilation(pool_size)
    counts = output_sizes(x.shape[1:-1], pool_size, strides, padding, dilation)
    padded = pad_spatial(x, padding, _lowest(x.dtype))
    met = [padded[cells] for _, cells in positions(pool_size, strides, dilation, counts)]
    stack = stacked(met)  # (positions in the window, *shape of y)
    winner = xp.argmax(stack, axis=0).astype(winner_dtype(pool_size))
    return xp.take_along_axis(stack, winner[None], axis=0)[0], winner


@KERNELS.register
@in_float32
def max_pool_grad(
    grad_y: Array,
    winner: Array,
    *,
    input_shape: Ints,
    pool_size: Ints,
    strides: Ints,
    padding: Pairs,
) -> Array:
    """Each element of ``grad_y`` added to the cell that won its window."""
    xp, dilation = namespace(grad_y), _no_dilation(pool_size)
    grad_padded = padded_zeros(xp, input_shape, padding, grad_y.dtype)
    zero = xp.zeros((), grad_y.dtype)
    windows = positions(pool_size, strides, dilation, grad_y.shape[1:-1])
    for number, (_, met) in enumerate(windows):
        grad_padded[met] += xp.where(winner == number, grad_y, zero)
    return crop_spatial(grad_padded, input_shape, padding)


@KERNELS.register
@in_float32
def max_pool_take(
    x: Array, winner: Array, *, pool_size: Ints, strides: Ints, padding: Pairs
) -> Array:
    """``x`` at the winners, zero where padding won: the transpose of ``max_pool_grad``."""
    xp, dilation = namespace(x), _no_dilation(pool_size)
    padded = pad_spatial(x, padding)
    taken = xp.zeros(winner.shape, x.dtype)
    windows = positions(pool_size, strides, dilation, winner.shape[1:-1])
    for number, (_, met) in enumerate(windows):
        taken = xp.where(winner == number, padded[met], taken)
    return taken


def _sum_pool(x: Array, pool_size: Ints, strides: Ints, padding: Pairs) -> Array:
    dilation = _no_dilation(pool_size)
    counts = output_sizes(x.shape[1:-1], pool_size, strides, padding, dilation)
    padded = pad_spatial(x, padding)
    total = namespace(x).zeros((x.shape[0], *counts, x.shape[-1]), x.dtype)
    for _, met in positions(pool_size, strides, dilation, counts):
        total += padded[met]
    return total


def _cells_inside(
    x: Array, input_shape: Ints, pool_size: Ints, strides: Ints, padding: Pairs
) -> Array:
    """How many cells of each window are no padding, at least 1 so that one can divide by it."""
    xp = namespace(x)
    ones = xp.ones((1, *input_shape[1:-1], 1), x.dtype)
    return xp.maximum(_sum_pool(ones, pool_size, strides, padding), ones.dtype.type(1))


@KERNELS.register
@in_float32
def average_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Pairs) -> Array:
    """Mean over the cells of each window that lie inside ``x``."""
    total = _sum_pool(x, pool_size, strides, padding)
    return total / _cells_inside(x, x.shape, pool_size, strides, padding)


@KERNELS.register
@in_float32
def average_pool_grad(
    grad_y: Array, *, input_shape: Ints, pool_size: Ints, strides: Ints, padding: Pairs
) -> Array:
    """Each element of ``grad_y`` spread evenly over the cells of its window."""
    xp, dilation = namespace(grad_y), _no_dilation(pool_size)
    share = grad_y / _cells_inside(grad_y, input_shape, pool_size, strides, padding)
    grad_padded = padded_zeros(xp, input_shape, padding, grad_y.dtype)
    for _, met in positions(pool_size, strides, dilation, grad_y.shape[1:-1]):
        grad_padded[met] += share
    return crop_spatial(grad_padded, input_shape, padding)
