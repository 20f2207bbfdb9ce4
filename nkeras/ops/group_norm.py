"""Normalization of groups of channels, as primitives."""

from __future__ import annotations

import math

from nkeras.core import dtypes
from nkeras.core.gradient_rule import differentiate_decomposition
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients, TensorLike
from nkeras.ops.arranging import moveaxis
from nkeras.ops.batch_norm import check_vectors
from nkeras.ops.elementwise import rsqrt, square
from nkeras.ops.reduction import reduce_mean, reduce_sum
from nkeras.ops.shape import cast, reshape


def _grouped(x: Tensor, groups: int) -> Tensor:
    """As `(batch, positions, groups, channels of a group)`."""
    batch, channels = x.shape[0], x.shape[-1]
    return reshape(x, (batch, math.prod(x.shape[1:-1]), groups, channels // groups))


def _group_mean(x: Tensor) -> Tensor:
    return reduce_mean(x, axis=(1, 3), keepdims=True)


def _wide(x: Tensor) -> Tensor:
    batch, groups = x.shape
    return reshape(x, (batch, 1, groups, 1))


def _over_rows(x: Tensor) -> Tensor:
    return reduce_sum(x, axis=tuple(range(len(x.shape) - 1)), keepdims=False)


@primitive(outputs=("y", "mean", "inverse"))
def _group_norm(
    x: Typed, gamma: Typed | None, beta: Typed | None, *, groups: int, epsilon: float
) -> tuple[Spec, Spec, Spec]:
    check_vectors(x, "group_norm", gamma=gamma, beta=beta)
    of_groups = Spec((x.shape[0], groups), x.dtype)
    return Spec(x.shape, x.dtype), of_groups, of_groups


@_group_norm.decomposition
def _(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None, groups: int, epsilon: float
) -> tuple[Tensor, ...]:
    grouped = _grouped(x, groups)
    mean = _group_mean(grouped)
    centred = grouped - mean
    inverse = rsqrt(_group_mean(square(centred)) + epsilon)
    y = reshape(centred * inverse, x.shape)
    y = y if gamma is None else y * gamma
    shape = (x.shape[0], groups)
    return y if beta is None else y + beta, reshape(mean, shape), reshape(inverse, shape)


@_group_norm.vjp("x", "gamma", "beta")
def _(
    grad_y: Tensor,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor,
    inverse: Tensor,
    groups: int,
    grad_mean: Tensor | None = None,
    grad_inverse: Tensor | None = None,
) -> Gradients:
    grads = _group_norm_grad(grad_y, x, gamma, mean, inverse, groups=groups)
    grad_x = _grouped(grads[0], groups)
    count = math.prod(x.shape[1:]) // groups
    if grad_mean is not None:
        grad_x = grad_x + _wide(grad_mean / count)
    if grad_inverse is not None:
        slope = _wide(grad_inverse * inverse * square(inverse) / count)
        grad_x = grad_x - (_grouped(x, groups) - _wide(mean)) * slope
    grad_x = reshape(grad_x, x.shape)
    return grad_x, None if gamma is None else grads[1], None if beta is None else grads[2]


@primitive(outputs=("grad_x", "grad_gamma", "grad_beta"))
def _group_norm_grad(
    grad_y: Typed, x: Typed, gamma: Typed | None, mean: Typed, inverse: Typed, *, groups: int
) -> tuple[Spec, Spec, Spec]:
    check_vectors(x, "group_norm_grad", gamma=gamma)
    vector = Spec((x.shape[-1],), x.dtype)
    return Spec(x.shape, x.dtype), vector, vector


@_group_norm_grad.decomposition
def _(
    grad_y: Tensor, x: Tensor, gamma: Tensor | None, mean: Tensor, inverse: Tensor, groups: int
) -> tuple[Tensor, Tensor, Tensor]:
    factor = _wide(inverse)
    normalized = (_grouped(x, groups) - _wide(mean)) * factor
    grad = _grouped(grad_y if gamma is None else grad_y * gamma, groups)
    rest = grad - _group_mean(grad) - normalized * _group_mean(grad * normalized)
    grad_gamma = _over_rows(grad_y * reshape(normalized, x.shape))
    return reshape(rest * factor, x.shape), grad_gamma, _over_rows(grad_y)


differentiate_decomposition(_group_norm_grad)
group_norm = _group_norm


@op
def group_normalization(
    x: TensorLike,
    gamma: TensorLike | None,
    beta: TensorLike | None,
    *,
    groups: int,
    axis: int,
    epsilon: float,
) -> Tensor:
    """Mean 0 and variance 1 in each group of channels of a sample, then `* gamma + beta`.

    Args:
        x: tensor `(batch, ...)`.
        gamma: vector of the channels, or None.
        beta: vector of the channels, or None.
        groups: number of groups, which divides the number of channels.
        axis: where the channels lie, from 1.
        epsilon: added to the variance.

    Returns:
        Tensor of the shape and dtype of `x`, computed in float32 at least.

    Source: https://arxiv.org/abs/1803.08494
    """
    x = to_tensor(x)
    wide = cast(x, dtypes.result_type(x.dtype, "float32"))
    vectors = [vector if vector is None else cast(vector, wide.dtype) for vector in (gamma, beta)]
    is_last = axis == len(x.shape) - 1
    wide = wide if is_last else moveaxis(wide, axis, -1)
    y = group_norm(wide, *vectors, groups=groups, epsilon=epsilon)[0]
    return cast(y if is_last else moveaxis(y, -1, axis), x.dtype)
