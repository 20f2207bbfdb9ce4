"""Normalization of groups of channels in each sample, channels last: the specification."""

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


def _grouped(x: Array, groups: int) -> Array:
    """As ``(batch, positions, groups, channels of a group)``."""
    return x.reshape(len(x), -1, groups, x.shape[-1] // groups)


@KERNELS.register
@in_float32
def group_norm(
    x: Array, gamma: Array | None, beta: Array | None, *, groups: int, epsilon: float
) -> tuple[Array, Array, Array]:
    """Mean 0 and variance 1 in each group, times gamma plus beta; mean, and 1 / deviation."""
    grouped = _grouped(x, groups)
    mean = grouped.mean((1, 3))
    centred = grouped - mean[:, None, :, None]
    inverse = 1 / namespace(x).sqrt((centred * centred).mean((1, 3)) + epsilon)
    y = (centred * inverse[:, None, :, None]).reshape(x.shape)
    y = y if gamma is None else y * gamma
    y = y if beta is None else y + beta
    return y.astype(x.dtype), mean, inverse.astype(x.dtype)


@KERNELS.register
@in_float32
def group_norm_grad(
    grad_y: Array, x: Array, gamma: Array | None, mean: Array, inverse: Array, *, groups: int
) -> tuple[Array, Array, Array]:
    """Gradients of ``group_norm`` by x, gamma and beta."""
    factor = inverse[:, None, :, None]
    normalized = (_grouped(x, groups) - mean[:, None, :, None]) * factor
    grad = _grouped(grad_y if gamma is None else grad_y * gamma, groups)
    shared = grad.mean((1, 3), keepdims=True)
    along = (grad * normalized).mean((1, 3), keepdims=True)
    grad_x = ((grad - shared - normalized * along) * factor).reshape(x.shape)
    rows = tuple(range(x.ndim - 1))
    grad_gamma = (grad_y * normalized.reshape(x.shape)).sum(rows)
    return grad_x.astype(x.dtype), grad_gamma, grad_y.sum(rows)
