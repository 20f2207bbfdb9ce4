"""Layer and RMS normalization over the last axis."""

from __future__ import annotations

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


def _inverse(squares: Array, size: int, epsilon: float) -> Array:
    dtype = squares.dtype.type
    return 1 / namespace(squares).sqrt(squares / dtype(size) + dtype(epsilon))


@KERNELS.register
@in_float32
def layer_norm(
    x: Array, gamma: Array | None, beta: Array | None, *, epsilon: float
) -> tuple[Array, Array, Array]:
    """Each row with mean 0 and variance 1, times gamma plus beta; mean, and 1 / deviation."""
    xp, size = namespace(x), x.shape[-1]
    mean = xp.sum(x, axis=-1) / x.dtype.type(size)
    centred = x - mean[..., None]
    inverse = _inverse(xp.sum(xp.square(centred), axis=-1), size, epsilon)
    y = centred * inverse[..., None]
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta, mean, inverse


@KERNELS.register
@in_float32
def rms_norm(x: Array, scale: Array | None, *, epsilon: float) -> tuple[Array, Array]:
    """Each row divided by the root of its mean square, times scale; and that factor."""
    xp = namespace(x)
    inverse = _inverse(xp.sum(xp.square(x), axis=-1), x.shape[-1], epsilon)
    y = x * inverse[..., None]
    return y if scale is None else y * scale, inverse


@KERNELS.register
@in_float32
def layer_norm_grad(
    grad_y: Array, x: Array, gamma: Array | None, mean: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """Gradients of ``layer_norm`` by x, gamma and beta."""
    normalized = (x - mean[..., None]) * inverse[..., None]
    xp, rows = namespace(x), tuple(range(x.ndim - 1))
    grad = grad_y if gamma is None else grad_y * gamma
    base = xp.mean(grad, axis=-1, keepdims=True)
    share = xp.mean(grad * normalized, axis=-1, keepdims=True)
    grad_x = (grad - base - normalized * share) * inverse[..., None]
    return grad_x, xp.sum(grad_y * normalized, axis=rows), xp.sum(grad_y, axis=rows)


@KERNELS.register
@in_float32
def rms_norm_grad(
    grad_y: Array, x: Array, scale: Array | None, inverse: Array
) -> tuple[Array, Array]:
    """Gradients of ``rms_norm`` by x and scale."""
    normalized = x * inverse[..., None]
    xp, rows = namespace(x), tuple(range(x.ndim - 1))
    grad = grad_y if scale is None else grad_y * scale
    share = xp.mean(grad * normalized, axis=-1, keepdims=True)
    grad_x = (grad - normalized * share) * inverse[..., None]
    return grad_x, xp.sum(grad_y * normalized, axis=rows)
