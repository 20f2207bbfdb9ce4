"""Batch normalization over all axes but the last, as primitives."""

from __future__ import annotations

import math

from nkeras.backend.scalars import arithmetic
from nkeras.core.gradient_rule import differentiate_decomposition
from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients
from nkeras.ops.elementwise import elementwise, rsqrt, square
from nkeras.ops.reduction import reduce_mean, reduce_sum


def check_vectors(x: Typed, owner: str, **vectors: Typed | None) -> None:
    """Vectors have one element for each of the last axis of x, or are None."""
    for name, vector in vectors.items():
        if vector is not None and tuple(vector.shape) != (x.shape[-1],):
            raise ValueError(
                f"{owner}: argument `{name}` must have the shape of the last axis, "
                f"({x.shape[-1]},). Received shape: {tuple(vector.shape)}"
            )


def _rows(x: Tensor) -> tuple[int, ...]:
    return tuple(range(len(x.shape) - 1))


@primitive(outputs=("y", "mean", "variance"))
def _batch_norm(
    x: Typed, gamma: Typed | None, beta: Typed | None, *, epsilon: float
) -> tuple[Spec, Spec, Spec]:
    check_vectors(x, "batch_norm", gamma=gamma, beta=beta)
    vector = Spec((x.shape[-1],), x.dtype)
    return Spec(x.shape, x.dtype), vector, vector


@_batch_norm.decomposition
def _(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    mean = reduce_mean(x, axis=_rows(x), keepdims=False)
    variance = reduce_mean(square(x - mean), axis=_rows(x), keepdims=False)
    return _normalized(x, mean, variance, gamma, beta, epsilon), mean, variance


@_batch_norm.vjp("x", "gamma", "beta")
def _(
    grad_y: Tensor,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    epsilon: float,
    grad_mean: Tensor | None = None,
    grad_variance: Tensor | None = None,
) -> Gradients:
    grads = _batch_norm_grad(grad_y, x, gamma, mean, variance, epsilon=epsilon)
    grad_x = grads[0]
    count = math.prod(x.shape[:-1])
    if grad_mean is not None:
        grad_x = grad_x + grad_mean / count
    if grad_variance is not None:
        grad_x = grad_x + (x - mean) * (grad_variance * (2.0 / count))
    return grad_x, None if gamma is None else grads[1], None if beta is None else grads[2]


@primitive(outputs=("grad_x", "grad_gamma", "grad_beta"))
def _batch_norm_grad(
    grad_y: Typed, x: Typed, gamma: Typed | None, mean: Typed, variance: Typed, *, epsilon: float
) -> tuple[Spec, Spec, Spec]:
    check_vectors(x, "batch_norm_grad", gamma=gamma, mean=mean, variance=variance)
    vector = Spec((x.shape[-1],), x.dtype)
    return Spec(x.shape, x.dtype), vector, vector


@_batch_norm_grad.decomposition
def _(
    grad_y: Tensor, x: Tensor, gamma: Tensor | None, mean: Tensor, variance: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    count = math.prod(x.shape[:-1])
    inverse = rsqrt(variance + epsilon)
    normalized = (x - mean) * inverse
    grad_beta = reduce_sum(grad_y, axis=_rows(x), keepdims=False)
    grad_gamma = reduce_sum(grad_y * normalized, axis=_rows(x), keepdims=False)
    factor = inverse if gamma is None else inverse * gamma
    grad_x = factor * (grad_y - grad_beta / count - normalized * (grad_gamma / count))
    return grad_x, grad_gamma, grad_beta


differentiate_decomposition(_batch_norm_grad)


@primitive()
def _batch_norm_inference(
    x: Typed,
    mean: Typed,
    variance: Typed,
    gamma: Typed | None,
    beta: Typed | None,
    *,
    epsilon: float,
) -> Spec:
    check_vectors(x, "batch_norm", mean=mean, variance=variance, gamma=gamma, beta=beta)
    return Spec(x.shape, x.dtype)


@_batch_norm_inference.decomposition
def _normalized(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: float,
) -> Tensor:
    factor = rsqrt(variance + epsilon)
    factor = factor if gamma is None else factor * gamma
    y = (x - mean) * factor
    return y if beta is None else y + beta


differentiate_decomposition(_batch_norm_inference)


@primitive(
    outputs=("folded_kernel", "folded_bias"),
    flat=("kernel", "bias", "mean", "variance", "gamma", "beta"),
)
def _fold_batch_norm(
    kernel: Typed,
    bias: Typed | None,
    mean: Typed,
    variance: Typed,
    gamma: Typed | None,
    beta: Typed | None,
    *,
    epsilon: float,
) -> tuple[Spec, Spec]:
    vectors = {"bias": bias, "mean": mean, "variance": variance, "gamma": gamma, "beta": beta}
    check_vectors(kernel, "fold_batch_norm", **vectors)
    return Spec(kernel.shape, kernel.dtype), Spec(kernel.shape[-1:], kernel.dtype)


moving_average = elementwise(
    arithmetic.moving_average, "promote", "momentum * average + rest * value."
)
batch_norm = _batch_norm
batch_norm_inference = _batch_norm_inference
fold_batch_norm = _fold_batch_norm
