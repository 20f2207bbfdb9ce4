"""Activations that are straight lines in places: relu and its kin, shrinks and limits."""

from __future__ import annotations

import math

from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops import activation as ops


def relu(
    x: TensorLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Tensor:
    """Rectified linear unit: `max(x, 0)` with the default arguments.

    Below `threshold` it is `negative_slope * (x - threshold)`, above it x, at most `max_value`.

    Args:
        x: tensor.
        negative_slope: slope below the threshold.
        max_value: upper limit; None for no limit.
        threshold: where the identity begins.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.relu([-2.0, 0.5, 3.0], max_value=2.0).numpy()
        array([0. , 0.5, 2. ], dtype=float32)
    """
    if threshold == 0 and max_value is None:
        return ops.relu(x) if negative_slope == 0 else ops.leaky_relu(x, negative_slope)
    limit = math.inf if max_value is None else max_value
    return ops.threshold_relu_(x, negative_slope, limit, threshold)


def leaky_relu(x: TensorLike, negative_slope: float = 0.2) -> Tensor:
    """Rectified linear unit with a slope: x, or `negative_slope * x` below 0.

    Args:
        x: tensor.
        negative_slope: slope below 0.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.leaky_relu([-1.0, 1.0]).numpy()
        array([-0.2,  1. ], dtype=float32)
    """
    return ops.leaky_relu(x, negative_slope)


def relu6(x: TensorLike) -> Tensor:
    """`min(max(x, 0), 6)`.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.relu6([-1.0, 3.0, 9.0]).numpy()
        array([0., 3., 6.], dtype=float32)
    """
    return ops.relu6(x)


def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """Exponential linear unit: x, or `alpha * (exp(x) - 1)` below 0.

    Args:
        x: tensor.
        alpha: minus the limit for very negative x.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.elu([-100.0, 2.0]).numpy()
        array([-1.,  2.], dtype=float32)

    Source: Clevert et al. 2015, https://arxiv.org/abs/1511.07289
    """
    return ops.elu(x, alpha)


def selu(x: TensorLike) -> Tensor:
    """Scaled exponential linear unit: `1.0507 * elu(x, 1.67326)`.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.selu([0.0, 1.0]).numpy()
        array([0.      , 1.050701], dtype=float32)

    Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
    """
    return ops.selu(x)


def celu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """Continuously differentiable elu: x, or `alpha * (exp(x / alpha) - 1)` below 0.

    Args:
        x: tensor.
        alpha: minus the limit for very negative x.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.celu([-100.0, 2.0], alpha=0.5).numpy()
        array([-0.5,  2. ], dtype=float32)

    Source: Barron 2017, https://arxiv.org/abs/1704.07483
    """
    return ops.celu(x, alpha)


def threshold(x: TensorLike, threshold: float, default_value: float) -> Tensor:
    """Replace x by a fixed value unless it is above a threshold.

    Args:
        x: tensor.
        threshold: x up to here is replaced.
        default_value: what replaces it.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.threshold([0.0, 2.0], 1.0, -1.0).numpy()
        array([-1.,  2.], dtype=float32)
    """
    return ops.threshold(x, threshold, default_value)


def hard_shrink(x: TensorLike, threshold: float = 0.5) -> Tensor:
    """Replace x by 0 unless `|x| > threshold`.

    Args:
        x: tensor.
        threshold: what is as near to 0 as this becomes 0.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.hard_shrink([-0.4, 2.0]).numpy()
        array([0., 2.], dtype=float32)
    """
    return ops.hard_shrink(x, threshold)


def soft_shrink(x: TensorLike, threshold: float = 0.5) -> Tensor:
    """Move x towards 0 by `threshold`, to 0 where it is nearer than that.

    Args:
        x: tensor.
        threshold: how far.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.soft_shrink([-0.4, 2.0]).numpy()
        array([0. , 1.5], dtype=float32)
    """
    return ops.soft_shrink(x, threshold)


def tanh_shrink(x: TensorLike) -> Tensor:
    """`x - tanh(x)`.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.tanh_shrink([0.0, 100.0]).numpy()
        array([ 0., 99.], dtype=float32)
    """
    return ops.tanh_shrink(x)


def hard_tanh(x: TensorLike) -> Tensor:
    """Limit x to [-1, 1].

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.hard_tanh([-3.0, 0.5]).numpy()
        array([-1. ,  0.5], dtype=float32)
    """
    return ops.hard_tanh(x)
