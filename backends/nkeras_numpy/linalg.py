"""Matrix products."""

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace, stacked
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def matmul(x: Array, y: Array) -> Array:
    """Matrix product over the last two dimensions; the batch dimensions broadcast."""
    return namespace(x).matmul(x, y)


@KERNELS.register
@in_float32
def dense(
    x: Array,
    kernel: Array,
    bias: Array | None,
    addend: Array | None = None,
    *,
    activation: str,
) -> Array:
    """`activation(x @ kernel + bias + addend)`; activation is "linear", "relu" or "relu6"."""
    return epilogue(namespace(x).matmul(x, kernel), bias, addend, activation)


def epilogue(y: Array, bias: Array | None, addend: Array | None, activation: str) -> Array:
    """What follows a product or a convolution."""
    xp, dtype = namespace(y), y.dtype
    for term in (bias, addend):
        y = y if term is None else y + term
    if activation in ("relu", "relu6"):
        y = xp.where(y < 0, 0, y)
    if activation == "relu6":
        y = xp.where(y > 6, 6, y)
    return y.astype(dtype)


@KERNELS.register
@in_float32
def cdist_squared(x: Array, y: Array) -> Array:
    """Row by row, so that only the distances of one row are there at once."""
    xp = namespace(x)
    columns = [
        xp.square(x[..., i : i + 1, :] - y).sum(axis=-1, dtype=np.float64)
        for i in range(x.shape[-2])
    ]
    if not columns:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        return xp.zeros((*batch, 0, y.shape[-2]), x.dtype)
    return stacked(columns, axis=-2).astype(x.dtype)


@KERNELS.register
@in_float32
def cross(x: Array, y: Array) -> Array:
    """Cross products of vectors of three components."""
    return namespace(x).cross(x, y).astype(x.dtype)
