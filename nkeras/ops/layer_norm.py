"""Layer and RMS normalization over the last axis, as primitives."""

from __future__ import annotations

from nkeras.core.gradient_rule import differentiate_decomposition
from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients
from nkeras.ops.batch_norm import check_vectors
from nkeras.ops.elementwise import rsqrt, square
from nkeras.ops.reduction import reduce_mean, reduce_sum
from nkeras.ops.shape import expand_dims


def _row_mean(x: Tensor, keepdims: bool = True) -> Tensor:
    return reduce_mean(x, axis=(len(x.shape) - 1,), keepdims=keepdims)


def _over_rows(x: Tensor) -> Tensor:
    return reduce_sum(x, axis=tuple(range(len(x.shape) - 1)), keepdims=False)


@primitive(outputs=("y", "mean", "inverse"))
def _layer_norm(
    x: Typed, gamma: Typed | None, beta: Typed | None, *, epsilon: float
) -> tuple[Spec, Spec, Spec]:
    check_vectors(x, "layer_norm", gamma=gamma, beta=beta)
    row = Spec(x.shape[:-1], x.dtype)
    return Spec(x.shape, x.dtype), row, row


@_layer_norm.decomposition
def _(x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float) -> tuple[Tensor, ...]:
    mean = _row_mean(x, keepdims=False)
    centred = x - expand_dims(mean, -1)
    inverse = rsqrt(_row_mean(square(centred), keepdims=False) + epsilon)
    y = centred * expand_dims(inverse, -1)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta, mean, inverse


@_layer_norm.vjp("x", "gamma", "beta")
def _(
    grad_y: Tensor,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor,
    inverse: Tensor,
    grad_mean: Tensor | None = None,
    grad_inverse: Tensor | None = None,
) -> Gradients:
    grads = _layer_norm_grad(grad_y, x, gamma, mean, inverse)
    grad_x = grads[0]
    if grad_mean is not None:
        grad_x = grad_x + expand_dims(grad_mean, -1) / x.shape[-1]
    if grad_inverse is not None:
        slope = grad_inverse * inverse * square(inverse) / x.shape[-1]
        grad_x = grad_x - (x - expand_dims(mean, -1)) * expand_dims(slope, -1)
    return grad_x, None if gamma is None else grads[1], None if beta is None else grads[2]


@primitive(outputs=("grad_x", "grad_gamma", "grad_beta"))
def _layer_norm_grad(
    grad_y: Typed, x: Typed, gamma: Typed | None, mean: Typed, inverse: Typed
) -> tuple[Spec, Spec, Spec]:
    check_vectors(x, "layer_norm_grad", gamma=gamma)
    vector = Spec((x.shape[-1],), x.dtype)
    return Spec(x.shape, x.dtype), vector, vector


@_layer_norm_grad.decomposition
def _(
    grad_y: Tensor, x: Tensor, gamma: Tensor | None, mean: Tensor, inverse: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    factor = expand_dims(inverse, -1)
    normalized = (x - expand_dims(mean, -1)) * factor
    grad = grad_y if gamma is None else grad_y * gamma
    grad_x = (grad - _row_mean(grad) - normalized * _row_mean(grad * normalized)) * factor
    return grad_x, _over_rows(grad_y * normalized), _over_rows(grad_y)


differentiate_decomposition(_layer_norm_grad)


@primitive(outputs=("y", "inverse"))
def _rms_norm(x: Typed, scale: Typed | None, *, epsilon: float) -> tuple[Spec, Spec]:
    check_vectors(x, "rms_norm", scale=scale)
    return Spec(x.shape, x.dtype), Spec(x.shape[:-1], x.dtype)


@_rms_norm.decomposition
def _(x: Tensor, scale: Tensor | None, epsilon: float) -> tuple[Tensor, ...]:
    inverse = rsqrt(_row_mean(square(x), keepdims=False) + epsilon)
    y = x * expand_dims(inverse, -1)
    return y if scale is None else y * scale, inverse


@_rms_norm.vjp("x", "scale")
def _(
    grad_y: Tensor,
    x: Tensor,
    scale: Tensor | None,
    inverse: Tensor,
    grad_inverse: Tensor | None = None,
) -> Gradients:
    grad_x, grad_scale = _rms_norm_grad(grad_y, x, scale, inverse)
    if grad_inverse is not None:
        slope = grad_inverse * inverse * square(inverse) / x.shape[-1]
        grad_x = grad_x - x * expand_dims(slope, -1)
    return grad_x, None if scale is None else grad_scale


@primitive(outputs=("grad_x", "grad_scale"))
def _rms_norm_grad(
    grad_y: Typed, x: Typed, scale: Typed | None, inverse: Typed
) -> tuple[Spec, Spec]:
    check_vectors(x, "rms_norm_grad", scale=scale)
    return Spec(x.shape, x.dtype), Spec((x.shape[-1],), x.dtype)


@_rms_norm_grad.decomposition
def _(grad_y: Tensor, x: Tensor, scale: Tensor | None, inverse: Tensor) -> tuple[Tensor, ...]:
    factor = expand_dims(inverse, -1)
    normalized = x * factor
    grad = grad_y if scale is None else grad_y * scale
    grad_x = (grad - normalized * _row_mean(grad * normalized)) * factor
    return grad_x, _over_rows(grad_y * normalized)


differentiate_decomposition(_rms_norm_grad)

layer_norm, rms_norm = _layer_norm, _rms_norm
