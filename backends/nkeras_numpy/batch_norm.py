"""Batch normalization over all axes but the last."""

from __future__ import annotations

import math

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def batch_norm(
    x: Array, gamma: Array | None, beta: Array | None, *, epsilon: float
) -> tuple[Array, Array, Array]:
    """``x`` normalized by its own statistics, times gamma plus beta; mean and variance."""
    axes = tuple(range(x.ndim - 1))
    count = max(math.prod(x.shape[:-1]), 1)
    xp = namespace(x)
    mean = xp.sum(x, axis=axes) / x.dtype.type(count)
    variance = xp.sum(xp.square(x - mean), axis=axes) / x.dtype.type(count)
    return _mapped(x, mean, variance, gamma, beta, epsilon), mean, variance


@KERNELS.register
@in_float32
def batch_norm_inference(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None,
    beta: Array | None,
    *,
    epsilon: float,
) -> Array:
    """``x`` normalized by given statistics, times gamma plus beta."""
    return _mapped(x, mean, variance, gamma, beta, epsilon)


def _inverse(variance: Array, epsilon: float) -> Array:
    return 1 / namespace(variance).sqrt(variance + variance.dtype.type(epsilon))


def _mapped(
    x: Array, mean: Array, variance: Array, gamma: Array | None, beta: Array | None, epsilon: float
) -> Array:
    factor = _inverse(variance, epsilon)
    factor = factor if gamma is None else factor * gamma
    y = (x - mean) * factor
    return y if beta is None else y + beta


@KERNELS.register
@in_float32
def batch_norm_grad(
    grad_y: Array, x: Array, gamma: Array | None, mean: Array, variance: Array, *, epsilon: float
) -> tuple[Array, Array, Array]:
    """Gradients of ``batch_norm`` by x, gamma and beta."""
    xp, axes = namespace(x), tuple(range(x.ndim - 1))
    count = x.dtype.type(max(math.prod(x.shape[:-1]), 1))
    inverse = _inverse(variance, epsilon)
    normalized = (x - mean) * inverse
    grad_beta = xp.sum(grad_y, axis=axes)
    grad_gamma = xp.sum(grad_y * normalized, axis=axes)
    factor = inverse if gamma is None else inverse * gamma
    grad_x = factor * (grad_y - grad_beta / count - normalized * (grad_gamma / count))
    return grad_x, grad_gamma, grad_beta


@KERNELS.register
def fold_batch_norm(
    kernel: Array,
    bias: Array | None,
    mean: Array,
    variance: Array,
    gamma: Array | None,
    beta: Array | None,
    *,
    epsilon: float,
) -> tuple[Array, Array]:
    """The kernel ``(..., filters)`` and the bias of a layer with the normalization behind it."""
    wide = "float64"
    scale = 1.0 / namespace(kernel).sqrt(variance.astype(wide) + epsilon)
    if gamma is not None:
        scale = scale * gamma
    shift = -mean.astype(wide) if bias is None else bias.astype(wide) - mean
    shift = shift * scale if beta is None else shift * scale + beta
    return (kernel * scale).astype(kernel.dtype), shift.astype(kernel.dtype)
